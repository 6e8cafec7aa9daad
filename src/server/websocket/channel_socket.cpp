// See channel_socket.h.
#include "server/websocket/channel_socket.h"

#include <chrono>

namespace pensieve::server {
namespace {

constexpr std::chrono::seconds kPingEvery{30};
constexpr int kPingsUnanswered = 2;           // then the peer is taken for gone
constexpr std::size_t kSendBound = 64 << 10;  // unsent bytes beyond which the writer waits

}  // namespace

ChannelSocket::ChannelSocket(Channel& channel, std::size_t most_bytes)
    : channel_(channel), reader_(most_bytes) {
  channel_.set_deadline(kPingEvery);
}

ChannelSocket::~ChannelSocket() {
  channel_.set_deadline(std::nullopt);
}

bool ChannelSocket::full() const {
  return channel_.unsent() > kSendBound;
}

void ChannelSocket::send(FrameKind kind, std::string_view bytes) {
  if (!open_) return;
  frame_.clear();
  append_frame(kind, bytes, frame_);
  channel_.send(frame_);
  channel_.flush();
}

void ChannelSocket::close(CloseReason reason) {
  send(FrameKind::close, close_payload(reason));
  open_ = false;
}

// A peer that is sent to without end cannot answer pings in time: the deadline of writes watches it.
void ChannelSocket::keep_alive() {
  unanswered_ = heard_ || full() ? 0 : unanswered_ + 1;
  if (unanswered_ >= kPingsUnanswered) {
    open_ = false;
    channel_.close();
    return;
  }
  heard_ = false;
  send(FrameKind::ping, {});
  channel_.set_deadline(kPingEvery);
}

// Answers control frames; data goes to the caller.
std::optional<MessageSocket::Message> ChannelSocket::take(Message message) {
  switch (message.kind) {
    case FrameKind::ping:
      send(FrameKind::pong, message.bytes);
      return std::nullopt;
    case FrameKind::close:
      send(FrameKind::close, std::string_view(message.bytes).substr(0, 2));
      open_ = false;
      return std::nullopt;
    case FrameKind::pong:
    case FrameKind::continuation:
      return std::nullopt;
    case FrameKind::text:
    case FrameKind::binary:
      return message;
  }
  return std::nullopt;
}

std::optional<MessageSocket::Message> ChannelSocket::next() {
  if (open_ && channel_.expired()) keep_alive();
  while (open_ && !full()) {
    std::optional<Message> message;
    const auto used = reader_.feed(channel_.input(), message);
    if (!used) {
      close(used.error());
      break;
    }
    if (*used > 0) heard_ = true;
    channel_.consume(*used);
    if (message) {
      if (auto data = take(std::move(*message))) return data;
    } else if (*used == 0) {
      break;
    }
  }
  return std::nullopt;
}

}  // namespace pensieve::server
