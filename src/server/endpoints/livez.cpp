// GET /livez: this process serves requests. Says nothing about models.
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/livez"};

Task<void> handle(Exchange& exchange, Context&) {
  exchange.reply(200, "application/json", R"({"status":"ok"})");
  co_return;
}

}  // namespace

extern const Endpoint endpoint_livez;
const Endpoint endpoint_livez{"GET", kPaths, &handle, Access::everybody};

}  // namespace pensieve::server
