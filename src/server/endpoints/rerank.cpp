// POST /v1/rerank: documents in the order of how well they answer a query.
#include "server/dialects/rerank.h"

#include "server/await_result.h"
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/rerank", "/rerank", "/v2/rerank"};

Task<void> handle(Exchange& exchange, Context& context) {
  const auto call =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_rerank_call(body); });
  if (!call) co_return reply_error(exchange, call.error());
  log_unknown(context, exchange.request().id, call->unknown);
  const auto model = co_await acquire_model(exchange, context, call->model);
  if (!model) co_return reply_error(exchange, model.error());
  Inference& inference = **model;
  using Answer = Result<Embeddings>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    inference.embed(rerank_request(*call, exchange.request().id), std::move(done));
  };
  const auto made = co_await await_result<Embeddings>(exchange, std::move(start));
  if (!made) co_return reply_error(exchange, made.error());
  exchange.count_tokens(made->prompt_tokens, 0);
  exchange.reply(200, "application/json",
                 rerank_text(*made, *call, inference.info().name, exchange.request().id));
}

}  // namespace

extern const Endpoint endpoint_rerank;
const Endpoint endpoint_rerank{"POST", kPaths, &handle};

}  // namespace pensieve::server
