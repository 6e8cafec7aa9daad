// See frames.h. Section numbers are those of RFC 6455.
#include "server/websocket/frames.h"

#include <algorithm>

#include "util/unicode.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kControlBytes = 125;  // 5.5

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

tl::unexpected<CloseReason> broken(std::string_view text, CloseCode code = CloseCode::protocol_error) {
  return tl::unexpected(CloseReason{code, text});
}

// 7.4: what an endpoint may put into a close frame.
bool valid_close_code(std::uint64_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

bool known_kind(std::uint8_t kind) {
  return kind <= 2 || (kind >= 8 && kind <= 10);
}

}  // namespace

tl::expected<FrameReader::Header, CloseReason> FrameReader::read_header(std::string_view input) {
  Header header;
  if (input.size() < 2) return header;
  const std::uint8_t first = byte_at(input, 0), second = byte_at(input, 1);
  if ((first & 0x70) != 0) return broken("reserved bits are set");
  if (!known_kind(first & 0x0F)) return broken("the frame's opcode is unknown");
  if ((second & 0x80) == 0) return broken("frames of clients must be masked");
  header.final = (first & 0x80) != 0;
  header.kind = static_cast<FrameKind>(first & 0x0F);
  const std::uint8_t shown = second & 0x7F;
  const std::size_t extended = shown == 127 ? 8 : shown == 126 ? 2 : 0;
  const std::size_t size = 2 + extended + header.mask.size();
  if (header.kind >= FrameKind::close) {
    if (!header.final) return broken("control frames cannot be fragmented");
    if (shown > kControlBytes) return broken("a control frame is longer than 125 bytes");
  }
  if (input.size() < size) return header;
  header.length = extended == 0 ? shown : big_endian(input.substr(2, extended));
  const bool shortest = extended == 0 || (extended == 2 ? header.length > 125 : header.length > 0xFFFF);
  if (!shortest || header.length >> 63 != 0) return broken("the frame's length is not in its shortest form");
  std::copy_n(input.data() + 2 + extended, header.mask.size(), header.mask.begin());
  header.size = size;
  return header;
}

tl::expected<void, CloseReason> FrameReader::begin(const Header& header) {
  header_ = header;
  in_frame_ = true;
  taken_ = 0;
  control_.clear();
  if (control()) return {};
  const bool continued = header.kind == FrameKind::continuation;
  if (continued && !message_) return broken("a continuation without a message");
  if (!continued && message_) return broken("a new message inside a fragmented one");
  if (!continued) message_ = header.kind;
  if (header.length > most_bytes_ || data_.size() > most_bytes_ - header.length) {
    return broken("the message is too long", CloseCode::too_big);
  }
  return {};
}

tl::expected<void, CloseReason> FrameReader::take_payload(std::string_view bytes) {
  std::string& target = control() ? control_ : data_;
  const std::size_t start = target.size();
  target += bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    target[start + i] =
        static_cast<char>(target[start + i] ^ header_.mask[(taken_ + i) % header_.mask.size()]);
  }
  taken_ += bytes.size();
  if (control() || message_ != FrameKind::text) return {};
  // Checked as it comes, so that hopeless text is refused before its end (8.1).
  const std::string_view fresh = std::string_view(data_).substr(checked_);
  const std::size_t whole = util::complete_utf8(fresh);
  if (!util::valid_utf8(fresh.substr(0, whole)))
    return broken("text is not valid UTF-8", CloseCode::bad_text);
  checked_ += whole;
  return {};
}

tl::expected<void, CloseReason> FrameReader::finish(std::optional<Message>& out) {
  in_frame_ = false;
  if (control()) {
    if (header_.kind == FrameKind::close && !control_.empty()) {
      if (control_.size() < 2 || !valid_close_code(big_endian(std::string_view(control_).substr(0, 2))))
        return broken("the close frame's code is not valid");
      if (!util::valid_utf8(std::string_view(control_).substr(2)))
        return broken("the close frame's reason is not valid UTF-8", CloseCode::bad_text);
    }
    out = Message{header_.kind, std::move(control_)};
    control_.clear();
    return {};
  }
  if (!header_.final) return {};
  if (message_ == FrameKind::text && checked_ != data_.size())
    return broken("text is not valid UTF-8", CloseCode::bad_text);
  out = Message{*message_, std::move(data_)};
  message_.reset();
  data_.clear();
  checked_ = 0;
  return {};
}

tl::expected<std::size_t, CloseReason> FrameReader::feed(std::string_view input,
                                                         std::optional<Message>& out) {
  std::size_t used = 0;
  while (!out) {
    if (!in_frame_) {
      const auto header = read_header(input.substr(used));
      if (!header) return tl::unexpected(header.error());
      if (header->size == 0) break;
      used += header->size;
      if (const auto begun = begin(*header); !begun) return tl::unexpected(begun.error());
    }
    const auto take =
        static_cast<std::size_t>(std::min<std::uint64_t>(header_.length - taken_, input.size() - used));
    if (const auto taken = take_payload(input.substr(used, take)); !taken)
      return tl::unexpected(taken.error());
    used += take;
    if (taken_ < header_.length) break;
    if (const auto finished = finish(out); !finished) return tl::unexpected(finished.error());
  }
  return used;
}

void append_frame(FrameKind kind, std::string_view payload, std::string& out) {
  out += static_cast<char>(0x80 | static_cast<std::uint8_t>(kind));
  const std::size_t extended = payload.size() > 0xFFFF ? 8 : payload.size() > 125 ? 2 : 0;
  out += static_cast<char>(extended == 0 ? payload.size() : extended == 2 ? 126 : 127);
  for (std::size_t i = extended; i-- > 0;) out += static_cast<char>(payload.size() >> (8 * i) & 0xFF);
  out += payload;
}

std::string close_payload(CloseReason reason) {
  const auto code = static_cast<std::uint16_t>(reason.code);
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  payload += reason.text.substr(0, kControlBytes - 2);
  return payload;
}

}  // namespace pensieve::server
