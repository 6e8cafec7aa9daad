// POST /api/chat: the answer to a conversation, in Ollama's form; as lines unless "stream" is false.
#include "server/endpoint.h"
#include "server/ollama_answer.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/api/chat"};

Task<void> handle(Exchange& exchange, Context& context) {
  Result<OllamaCall> asked =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_ollama_chat(body); });
  co_await answer_ollama(exchange, context, std::move(asked), true);
}

}  // namespace

extern const Endpoint endpoint_ollama_chat;
const Endpoint endpoint_ollama_chat{"POST", kPaths, &handle};

}  // namespace pensieve::server
