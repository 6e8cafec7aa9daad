// WebSocket frames (RFC 6455, section 5) as bytes: FrameReader makes messages of what a client sent,
// append_frame writes what a server sends. Extensions are never negotiated, so reserved bits are errors. No
// socket, no JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace pensieve::server {

enum class FrameKind : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

// Status codes of section 7.4.1 that we send.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported = 1003,
  bad_text = 1007,
  too_big = 1009,
  try_again = 1013,
};

struct CloseReason {
  CloseCode code = CloseCode::normal;
  std::string_view text;  // a constant
};

class FrameReader {
 public:
  struct Message {
    FrameKind kind = FrameKind::text;  // never a continuation: fragments are joined
    std::string bytes;                 // text: valid UTF-8; close: a valid code and reason, or nothing
  };

  explicit FrameReader(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // Takes bytes off the front of `input` until a message is whole (it is then in `out`) or more are needed;
  // answers how many were taken. An error is the end: the connection must be closed with it.
  tl::expected<std::size_t, CloseReason> feed(std::string_view input, std::optional<Message>& out);

 private:
  struct Header {
    bool final = false;
    FrameKind kind = FrameKind::text;
    std::uint64_t length = 0;
    std::array<char, 4> mask{};
    std::size_t size = 0;  // of the header itself; 0: more bytes are needed
  };
  static tl::expected<Header, CloseReason> read_header(std::string_view input);
  tl::expected<void, CloseReason> begin(const Header& header);
  tl::expected<void, CloseReason> take_payload(std::string_view bytes);
  tl::expected<void, CloseReason> finish(std::optional<Message>& out);
  bool control() const { return header_.kind >= FrameKind::close; }

  const std::size_t most_bytes_;
  Header header_;
  bool in_frame_ = false;
  std::uint64_t taken_ = 0;           // of the frame's payload
  std::optional<FrameKind> message_;  // kind of the data message that is being put together
  std::string data_;                  // its bytes
  std::size_t checked_ = 0;           // of them known to be valid UTF-8
  std::string control_;               // payload of a control frame, which may come between fragments
};

void append_frame(FrameKind kind, std::string_view payload, std::string& out);
std::string close_payload(CloseReason reason);

}  // namespace pensieve::server
