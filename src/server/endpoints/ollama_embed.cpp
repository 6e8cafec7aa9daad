// POST /api/embed: texts to vectors, in Ollama's form. Texts that are too long are refused unless "truncate"
// asks for the cut.
#include <chrono>

#include "server/dialects/embeddings.h"
#include "server/dialects/errors.h"
#include "server/dialects/reply_parts.h"
#include "server/endpoint.h"
#include "server/ollama_answer.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/api/embed"};

Task<void> handle(Exchange& exchange, Context& context) {
  const auto began = std::chrono::steady_clock::now();
  const auto asked =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_ollama_embed(body); });
  if (!asked) co_return reply_error(exchange, asked.error());
  const auto made = co_await embed_ollama(exchange, context, *asked);
  if (!made) co_return reply_error(exchange, made.error());
  std::string out = "{\"model\":";
  append_string(asked->model, out);
  out += ",\"embeddings\":[";
  for (std::size_t i = 0; i < made->vectors.size(); ++i) {
    if (i > 0) out += ',';
    append_vector(made->vectors[i], out);
  }
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - began;
  out += "],\"total_duration\":" + std::to_string(took.count()) +
         ",\"load_duration\":0,\"prompt_eval_count\":" + std::to_string(made->prompt_tokens) + "}";
  exchange.reply(200, "application/json", std::move(out));
}

}  // namespace

extern const Endpoint endpoint_ollama_embed;
const Endpoint endpoint_ollama_embed{"POST", kPaths, &handle};

}  // namespace pensieve::server
