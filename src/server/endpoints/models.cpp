// GET /v1/models: what this server can answer with.
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/messages_models.h"
#include "server/dialects/model_object.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/models", "/models"};

Task<void> handle(Exchange& exchange, Context& context) {
  if (speaks_anthropic(exchange.request())) {
    auto page = messages_models(context.services.models.list(), exchange.request());
    if (!page) co_return reply_error(exchange, page.error());
    co_return exchange.reply(200, "application/json", std::move(*page));
  }
  std::string out = R"({"object":"list","data":[)";
  bool first = true;
  for (const manage::ModelStatus& status : context.services.models.list()) {
    if (!first) out += ',';
    first = false;
    append_model(status, out);
  }
  exchange.reply(200, "application/json", out + "]}");
  co_return;
}

}  // namespace

extern const Endpoint endpoint_models;
const Endpoint endpoint_models{"GET", kPaths, &handle};

}  // namespace pensieve::server
