// GET /api/ps: which models are loaded, in Ollama's form.
#include "server/context.h"
#include "server/dialects/ollama_models.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/api/ps"};

Task<void> handle(Exchange& exchange, Context& context) {
  std::string out = "{\"models\":[";
  bool first = true;
  for (const manage::ModelStatus& status : context.services.models.list()) {
    if (status.state != manage::ModelState::loaded) continue;
    if (!first) out += ',';
    first = false;
    append_ollama_loaded(status, out);
  }
  exchange.reply(200, "application/json", out + "]}");
  co_return;
}

}  // namespace

extern const Endpoint endpoint_ollama_ps;
const Endpoint endpoint_ollama_ps{"GET", kPaths, &handle};

}  // namespace pensieve::server
