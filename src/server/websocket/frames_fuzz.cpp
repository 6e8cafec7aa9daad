// Fuzzes what reads WebSocket frames from strangers, in pieces of any size; what comes out must keep its
// promises.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "server/websocket/frames.h"
#include "util/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  if (size == 0) return 0;
  constexpr std::size_t kMost = 4096;
  const std::size_t step = 1 + data[0] % 64;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  server::FrameReader reader(kMost);
  std::size_t end = std::min(step, rest.size());
  while (true) {
    std::optional<server::FrameReader::Message> message;
    const auto used = reader.feed(rest.substr(0, end), message);
    if (!used) return 0;
    if (*used > end) __builtin_trap();
    if (message) {
      if (message->bytes.size() > kMost) __builtin_trap();
      if (message->kind == server::FrameKind::continuation) __builtin_trap();
      if (message->kind == server::FrameKind::text && !pensieve::util::valid_utf8(message->bytes))
        __builtin_trap();
    }
    rest.remove_prefix(*used);
    if (*used == 0 && end == rest.size() && !message) return 0;
    end = std::min(*used == 0 ? end + step : step, rest.size());
  }
}
