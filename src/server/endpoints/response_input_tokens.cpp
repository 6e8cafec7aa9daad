// POST /v1/responses/input_tokens: how many tokens a response's body would give the model to read.
#include "server/await_result.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/generation.h"
#include "server/response_answer.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/responses/input_tokens", "/responses/input_tokens"};

Task<void> handle(Exchange& exchange, Context& context) {
  Result<ResponseCall> call =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_response_call(body); });
  if (!call) co_return reply_error(exchange, call.error());
  log_unknown(context, exchange, call->call.unknown);
  const auto joined = co_await join_history(exchange, context, *call);
  if (!joined) co_return reply_error(exchange, joined.error());
  const auto model = co_await acquire_model(exchange, context, call->call.model);
  if (!model) co_return reply_error(exchange, model.error());
  Inference& inference = **model;
  const ChatRequest chat = std::get<ChatRequest>(call->call.generation.prompt);
  using Answer = Result<std::int64_t>;
  std::function<void(std::function<void(Answer)>)> start =
      [&inference, chat](std::function<void(Answer)> done) { inference.count(chat, std::move(done)); };
  const auto count = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!count) co_return reply_error(exchange, count.error());
  exchange.reply(200, "application/json",
                 R"({"object":"response.input_tokens","input_tokens":)" + std::to_string(*count) + "}");
}

}  // namespace

extern const Endpoint endpoint_response_input_tokens;
const Endpoint endpoint_response_input_tokens{"POST", kPaths, &handle};

}  // namespace pensieve::server
