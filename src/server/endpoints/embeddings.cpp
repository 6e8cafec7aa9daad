// POST /v1/embeddings: texts as vectors, for search and comparison.
#include "server/dialects/embeddings.h"

#include "server/await_result.h"
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/embeddings", "/embeddings"};

Task<void> handle(Exchange& exchange, Context& context) {
  auto call = parse_body(exchange.request().body).and_then([](const Json& body) {
    return read_embeddings_call(body);
  });
  if (!call) co_return reply_error(exchange, call.error());
  log_unknown(context, exchange.request().id, call->unknown);
  const auto model = co_await acquire_model(exchange, context, call->model);
  if (!model) co_return reply_error(exchange, model.error());
  Inference& inference = **model;
  if (const auto fit = fit_embeddings(inference.info(), *call); !fit)
    co_return reply_error(exchange, fit.error());
  call->request.request_id = exchange.request().id;
  using Answer = Result<Embeddings>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    inference.embed(std::move(call->request), std::move(done));
  };
  auto made = co_await await_result<Embeddings>(exchange, std::move(start));
  if (!made) co_return reply_error(exchange, made.error());
  if (call->dimensions) {
    if (const auto cut = cut_vectors(*call->dimensions, made->vectors); !cut)
      co_return reply_error(exchange, cut.error());
  }
  exchange.count_tokens(made->prompt_tokens, 0);
  exchange.reply(200, "application/json", embeddings_text(*made, *call, inference.info().name));
}

}  // namespace

extern const Endpoint endpoint_embeddings;
const Endpoint endpoint_embeddings{"POST", kPaths, &handle};

}  // namespace pensieve::server
