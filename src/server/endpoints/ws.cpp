// GET /v1/ws: a WebSocket on which several generations run at once.
#include "server/context.h"
#include "server/endpoint.h"
#include "server/streams/socket_session.h"
#include "server/websocket/handshake.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/ws"};

Task<void> handle(Exchange& exchange, Context& context) {
  const auto socket = exchange.upgrade(static_cast<std::size_t>(context.options->max_body_bytes));
  if (!socket) co_return refuse_plain_request(exchange, socket.error());
  SocketSession session(exchange, **socket, context);
  co_await session.run();
}

}  // namespace

extern const Endpoint endpoint_ws;
const Endpoint endpoint_ws{"GET", kPaths, &handle};

}  // namespace pensieve::server
