// GET /v1/models: what this server can answer with.
#include "server/context.h"
#include "server/dialects/model_object.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/models", "/models"};

Task<void> handle(Exchange& exchange, Context& context) {
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
