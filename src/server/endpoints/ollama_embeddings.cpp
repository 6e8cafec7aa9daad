// POST /api/embeddings: one text to one vector, in Ollama's older form.
#include "server/dialects/embeddings.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/ollama_answer.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/api/embeddings"};

Task<void> handle(Exchange& exchange, Context& context) {
  const auto asked = parse_body(exchange.request().body).and_then([](const Json& body) {
    return read_ollama_embeddings(body);
  });
  if (!asked) co_return reply_error(exchange, asked.error());
  const auto made = co_await embed_ollama(exchange, context, *asked);
  if (!made) co_return reply_error(exchange, made.error());
  std::string out = "{\"embedding\":";
  append_vector(made->vectors.front(), out);
  exchange.reply(200, "application/json", out + "}");
}

}  // namespace

extern const Endpoint endpoint_ollama_embeddings;
const Endpoint endpoint_ollama_embeddings{"POST", kPaths, &handle};

}  // namespace pensieve::server
