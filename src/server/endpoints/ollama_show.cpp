// POST /api/show: one model, its template and its facts, in Ollama's form.
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/ollama_models.h"
#include "server/endpoint.h"
#include "server/ollama_answer.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/api/show"};

Task<void> handle(Exchange& exchange, Context& context) {
  auto name =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_ollama_model(body); });
  if (!name) co_return reply_error(exchange, name.error());
  const auto status = context.services.models.find(ollama_model_name(context, std::move(*name)));
  if (!status) co_return reply_error(exchange, status.error());
  exchange.reply(200, "application/json", ollama_show_text(*status));
}

}  // namespace

extern const Endpoint endpoint_ollama_show;
const Endpoint endpoint_ollama_show{"POST", kPaths, &handle};

}  // namespace pensieve::server
