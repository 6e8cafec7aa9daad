// POST /apply-template: the prompt that a chat completion's body would give the model. Nothing is generated.
#include "server/await_result.h"
#include "server/context.h"
#include "server/dialects/chat_request.h"
#include "server/dialects/errors.h"
#include "server/dialects/reply_parts.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/apply-template"};

Task<void> handle(Exchange& exchange, Context& context) {
  const Result<Call> call =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_chat_call(body); });
  if (!call) co_return reply_error(exchange, call.error());
  const auto model = co_await acquire_model(exchange, context, call->model);
  if (!model) co_return reply_error(exchange, model.error());
  Inference& inference = **model;
  const ChatRequest chat = std::get<ChatRequest>(call->generation.prompt);
  using Answer = Result<std::string>;
  std::function<void(std::function<void(Answer)>)> start =
      [&inference, chat](std::function<void(Answer)> done) { inference.render(chat, std::move(done)); };
  const auto prompt = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!prompt) co_return reply_error(exchange, prompt.error());
  std::string out = "{\"prompt\":";
  append_string(*prompt, out);
  exchange.reply(200, "application/json", out + "}");
}

}  // namespace

extern const Endpoint endpoint_apply_template;
const Endpoint endpoint_apply_template{"POST", kPaths, &handle};

}  // namespace pensieve::server
