// ChannelSocket: a MessageSocket over a connection whose opening handshake is done.
#pragma once

#include "server/http/channel.h"
#include "server/websocket/message_socket.h"

namespace pensieve::server {

class ChannelSocket final : public MessageSocket {
 public:
  // `channel` outlives this; `most_bytes` of one message.
  ChannelSocket(Channel& channel, std::size_t most_bytes);
  ~ChannelSocket() override;

  std::optional<Message> next() override;
  void send(FrameKind kind, std::string_view bytes) override;
  bool full() const override;
  bool open() const override { return open_ && !channel_.gone(); }
  void close(CloseReason reason) override;
  Signal& changed() override { return channel_.changed(); }

 private:
  void keep_alive();
  std::optional<Message> take(Message message);

  Channel& channel_;
  FrameReader reader_;
  std::string frame_;  // reused
  bool open_ = true;
  bool heard_ = true;  // since the last ping
  int unanswered_ = 0;
};

}  // namespace pensieve::server
