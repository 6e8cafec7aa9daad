// POST /v1/messages: an answer to a conversation in the form of Anthropic's API, whole or as events.
#include "server/dialects/errors.h"
#include "server/dialects/messages_reply.h"
#include "server/dialects/messages_request.h"
#include "server/dialects/volatile_lines.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/messages"};

Task<void> handle(Exchange& exchange, Context& context) {
  auto asked = parse_body(exchange.request().body).and_then([](const Json& body) {
    return read_messages_call(body, false);
  });
  if (!asked) co_return reply_error(exchange, asked.error());
  Call& call = asked->call;
  log_unknown(context, exchange, call.unknown);
  tell_inert(exchange, call);
  steady_lines(context.options->volatile_line, call.generation);
  const auto model = co_await acquire_model(exchange, context, call.model);
  if (!model) co_return reply_error(exchange, model.error());
  const ModelInfo& info = (*model)->info();
  if (const auto fit = fit_to_model(info, call); !fit) co_return reply_error(exchange, fit.error());

  call.generation.request_id = exchange.request().id;
  const ReplyHead head = make_reply_head("msg_", info.name);
  MessageDocument document(head, asked->show_thinking);
  MessageStream stream(head, asked->show_thinking, exchange);
  std::vector<GenerationRequest> requests;
  requests.push_back(std::move(call.generation));
  GenerationReceiver& receiver = call.stream ? static_cast<GenerationReceiver&>(stream) : document;
  const auto outcome = co_await run_generations(exchange, **model, std::move(requests), receiver);
  const Usage& usage = call.stream ? stream.usage() : document.usage();
  exchange.count_tokens(usage.prompt_tokens, usage.completion_tokens);
  if (!outcome) co_return reply_error(exchange, outcome.error());
  if (!call.stream) exchange.reply(200, "application/json", document.text());
}

}  // namespace

extern const Endpoint endpoint_messages;
const Endpoint endpoint_messages{"POST", kPaths, &handle};

}  // namespace pensieve::server
