// GET /health: as llama-server's, which scripts and tools wait on. A server without any model has none to
// wait for; that no model can generate is told by /readyz.
#include "server/context.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/health", "/v1/health"};

Task<void> handle(Exchange& exchange, Context& context) {
  if (context.draining) {
    exchange.reply(503, "application/json",
                   R"({"error":{"code":503,"message":"Shutting down","type":"unavailable_error"}})",
                   {{"retry-after", "1"}});
  } else if (context.services.models.ready() || context.services.models.list().empty()) {
    exchange.reply(200, "application/json", R"({"status":"ok"})");
  } else {
    exchange.reply(503, "application/json",
                   R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
                   {{"retry-after", "1"}});
  }
  co_return;
}

}  // namespace

extern const Endpoint endpoint_health;
const Endpoint endpoint_health{"GET", kPaths, &handle, Access::everybody};

}  // namespace pensieve::server
