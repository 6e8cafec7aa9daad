// GET /openapi.json: the API's document, for people who make clients of it.
#include "server/openapi.h"

#include "server/dialects/errors.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/openapi.json"};

Task<void> handle(Exchange& exchange, Context&) {
  const auto document = make_openapi(endpoints(), endpoint_documents());
  if (!document) co_return reply_error(exchange, document.error());
  exchange.reply(200, "application/json", util::to_json(*document), {{"cache-control", "no-cache"}});
}

}  // namespace

extern const Endpoint endpoint_openapi;
const Endpoint endpoint_openapi{"GET", kPaths, &handle, Access::everybody};

}  // namespace pensieve::server
