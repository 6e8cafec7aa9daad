// POST /api/generate: the answer to one prompt, in Ollama's form; as lines unless "stream" is false.
#include "server/endpoint.h"
#include "server/ollama_answer.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/api/generate"};

Task<void> handle(Exchange& exchange, Context& context) {
  Result<OllamaCall> asked = parse_body(exchange.request().body).and_then([](const Json& body) {
    return read_ollama_generate(body);
  });
  co_await answer_ollama(exchange, context, std::move(asked), false);
}

}  // namespace

extern const Endpoint endpoint_ollama_generate;
const Endpoint endpoint_ollama_generate{"POST", kPaths, &handle};

}  // namespace pensieve::server
