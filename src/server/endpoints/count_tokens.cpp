// POST /v1/messages/count_tokens: how many tokens a Messages body would give the model to read.
#include "server/await_result.h"
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/messages_request.h"
#include "server/dialects/volatile_lines.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/messages/count_tokens"};

Task<void> handle(Exchange& exchange, Context& context) {
  auto asked = parse_body(exchange.request().body).and_then([](const Json& body) {
    return read_messages_call(body, true);
  });
  if (!asked) co_return reply_error(exchange, asked.error());
  Call& call = asked->call;
  log_unknown(context, exchange, call.unknown);
  steady_lines(context.options->volatile_line, call.generation);
  const auto model = co_await acquire_model(exchange, context, call.model);
  if (!model) co_return reply_error(exchange, model.error());
  Inference& inference = **model;
  const auto& chat = std::get<ChatRequest>(call.generation.prompt);
  using Answer = Result<std::int64_t>;
  std::function<void(std::function<void(Answer)>)> start =
      [&inference, &chat](std::function<void(Answer)> done) { inference.count(chat, std::move(done)); };
  const auto count = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!count) co_return reply_error(exchange, count.error());
  exchange.reply(200, "application/json", "{\"input_tokens\":" + std::to_string(*count) + "}");
}

}  // namespace

extern const Endpoint endpoint_count_tokens;
const Endpoint endpoint_count_tokens{"POST", kPaths, &handle};

}  // namespace pensieve::server
