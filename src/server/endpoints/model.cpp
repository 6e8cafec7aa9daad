// GET /v1/models/{id}: one model; the id may hold slashes and colons, escaped or not.
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/messages_models.h"
#include "server/dialects/model_object.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/models/{id...}", "/models/{id...}"};

Task<void> handle(Exchange& exchange, Context& context) {
  const auto status = context.services.models.find(exchange.request().parameter("id"));
  if (!status) co_return reply_error(exchange, status.error());
  std::string out;
  if (speaks_anthropic(exchange.request())) {
    append_messages_model(*status, out);
  } else {
    append_model(*status, out);
  }
  exchange.reply(200, "application/json", std::move(out));
}

}  // namespace

extern const Endpoint endpoint_model;
const Endpoint endpoint_model{"GET", kPaths, &handle};

}  // namespace pensieve::server
