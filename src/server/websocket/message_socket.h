// MessageSocket: a WebSocket as whole messages in and out, as endpoints see it: nothing of frames, pings or
// the closing handshake.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/task.h"
#include "server/websocket/frames.h"

namespace pensieve::server {

// Nothing here waits: look at everything, then await `changed`, again and again while it is open.
// Thread rule: the exchange's executor only.
class MessageSocket {
 public:
  using Message = FrameReader::Message;  // text or binary

  virtual ~MessageSocket() = default;
  // The next message that has come whole; nothing while there is none, or while `full`: who does not read is
  // not read from. Keeps the connection alive: pings, and gives up a peer that is silent for too long.
  virtual std::optional<Message> next() = 0;
  virtual void send(FrameKind kind, std::string_view bytes) = 0;
  virtual bool full() const = 0;  // so much waits for the peer to read that more should wait
  virtual bool open() const = 0;  // neither side has closed it
  // After this nothing is sent or received. `reason.text` is a constant.
  virtual void close(CloseReason reason) = 0;
  // Fires when a message may have come, something was sent, the other side or the server is about to end.
  virtual Signal& changed() = 0;
};

}  // namespace pensieve::server
