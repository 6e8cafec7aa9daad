// GET /_ws/echo: a WebSocket that sends back every message, for conformance tests; only with
// --test-endpoints.
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/websocket/handshake.h"
#include "server/websocket/message_socket.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/_ws/echo"};

Task<void> handle(Exchange& exchange, Context& context) {
  if (!context.options->test_endpoints) {
    co_return reply_error(
        exchange, {Error::Code::not_found, "there is nothing at '/_ws/echo'", {}, "unknown_path", {}});
  }
  const auto upgraded = exchange.upgrade(static_cast<std::size_t>(context.options->max_body_bytes));
  if (!upgraded) co_return refuse_plain_request(exchange, upgraded.error());
  MessageSocket& socket = **upgraded;
  while (socket.open()) {
    while (const auto message = socket.next()) socket.send(message->kind, message->bytes);
    if (context.draining) socket.close({CloseCode::going_away, "the server is shutting down"});
    if (socket.open()) co_await socket.changed().wait();
  }
}

}  // namespace

extern const Endpoint endpoint_ws_echo;
const Endpoint endpoint_ws_echo{"GET", kPaths, &handle};

}  // namespace pensieve::server
