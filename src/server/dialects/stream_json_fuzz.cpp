// Fuzzes the reader of WebSocket client events, down to the chat request inside.
#include <cstddef>
#include <cstdint>

#include "server/dialects/stream_json.h"
#include "server/streams/stream_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace server = pensieve::server;
  const auto event = server::read_client_event({reinterpret_cast<const char*>(data), size});
  if (!event) {
    if (event.error().reason.empty()) __builtin_trap();
    return 0;
  }
  if (event->id.empty() || event->id.size() > 256) __builtin_trap();
  if (event->kind == server::ClientEvent::Kind::create)
    static_cast<void>(server::read_stream_chat(event->body));
  return 0;
}
