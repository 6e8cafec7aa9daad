// POST /v1/chat/completions: an answer to a conversation, whole or as a stream of chunks.
#include "server/dialects/chat_reply.h"
#include "server/dialects/chat_request.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/chat/completions", "/chat/completions"};

Task<void> handle(Exchange& exchange, Context& context) {
  Result<Call> call =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_chat_call(body); });
  if (!call) co_return reply_error(exchange, call.error());
  log_unknown(context, exchange, call->unknown);
  const auto model = co_await acquire_model(exchange, context, call->model);
  if (!model) co_return reply_error(exchange, model.error());
  const ModelInfo& info = (*model)->info();
  if (const auto fit = fit_to_model(info, *call); !fit) co_return reply_error(exchange, fit.error());

  call->generation.request_id = exchange.request().id;
  ReplyHead head = make_reply_head("chatcmpl-", info.name);
  std::vector<GenerationRequest> requests;
  ChatDocument document(*call, head);
  ChatStream stream(*call, std::move(head), exchange);
  requests.push_back(std::move(call->generation));
  GenerationReceiver& receiver = call->stream ? static_cast<GenerationReceiver&>(stream) : document;
  const auto outcome = co_await run_generations(exchange, **model, std::move(requests), receiver);
  const Usage& usage = call->stream ? stream.usage() : document.usage();
  exchange.count_tokens(usage.prompt_tokens, usage.completion_tokens);
  if (!outcome) co_return reply_error(exchange, outcome.error());
  if (call->stream) {
    stream.finish();
  } else {
    exchange.reply(200, "application/json", document.text());
  }
}

}  // namespace

extern const Endpoint endpoint_chat_completions;
const Endpoint endpoint_chat_completions{"POST", kPaths, &handle};

}  // namespace pensieve::server
