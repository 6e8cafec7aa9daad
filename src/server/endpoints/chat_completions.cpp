// POST /v1/chat/completions: an answer to a conversation, whole or as a stream of chunks.
#include "server/chat_answer.h"
#include "server/dialects/chat_request.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/chat/completions", "/chat/completions"};

Task<void> handle(Exchange& exchange, Context& context) {
  Result<Call> call =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_chat_call(body); });
  co_await answer_chat(exchange, context, std::move(call));
}

}  // namespace

extern const Endpoint endpoint_chat_completions;
const Endpoint endpoint_chat_completions{"POST", kPaths, &handle};

}  // namespace pensieve::server
