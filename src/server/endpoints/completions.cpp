// POST /v1/completions: continuations of texts or token lists, as they are: no template.
#include "server/await_result.h"
#include "server/dialects/completion_reply.h"
#include "server/dialects/completion_request.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/completions"};

using Prompt = std::variant<std::string, std::vector<std::int32_t>>;

Result<> check_prompts(const std::vector<Prompt>& prompts, const ModelInfo& info) {
  for (const Prompt& prompt : prompts) {
    const auto* tokens = std::get_if<std::vector<std::int32_t>>(&prompt);
    if (tokens == nullptr) continue;
    if (auto checked = check_tokens(*tokens, info, "prompt"); !checked) return checked;
  }
  return {};
}

// The texts that echo puts before the answers.
Task<Result<std::vector<std::string>>> echo_texts(Exchange& exchange, Inference& model,
                                                  const std::vector<Prompt>& prompts) {
  std::vector<std::string> texts;
  for (const Prompt& prompt : prompts) {
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      texts.push_back(*text);
      continue;
    }
    const std::vector<std::int32_t> tokens = std::get<std::vector<std::int32_t>>(prompt);
    std::function<void(std::function<void(Result<std::string>)>)> start =
        [&model, tokens](std::function<void(Result<std::string>)> done) {
          model.detokenize(tokens, std::move(done));
        };
    auto text = co_await await_result<std::string>(exchange, std::move(start));
    if (!text) co_return tl::unexpected(std::move(text.error()));
    texts.push_back(std::move(*text));
  }
  co_return texts;
}

std::vector<GenerationRequest> make_requests(const CompletionCall& completion, const std::string& id) {
  std::vector<GenerationRequest> requests;
  for (const Prompt& prompt : completion.prompts) {
    GenerationRequest request = completion.call.generation;
    request.request_id = id;
    std::visit([&request](const auto& value) { request.prompt = value; }, prompt);
    requests.push_back(std::move(request));
  }
  return requests;
}

Task<void> handle(Exchange& exchange, Context& context) {
  Result<CompletionCall> completion = parse_body(exchange.request().body).and_then([](const Json& body) {
    return read_completion_call(body);
  });
  if (!completion) co_return reply_error(exchange, completion.error());
  log_unknown(context, exchange, completion->call.unknown);
  tell_inert(exchange, completion->call);
  const auto model = co_await acquire_model(exchange, context, completion->call.model);
  if (!model) co_return reply_error(exchange, model.error());
  const ModelInfo& info = (*model)->info();
  if (const auto fit = fit_to_model(info, completion->call); !fit)
    co_return reply_error(exchange, fit.error());
  if (const auto kept = keep_model(context, info, completion->call); !kept)
    co_return reply_error(exchange, kept.error());
  if (const auto known = check_prompts(completion->prompts, info); !known)
    co_return reply_error(exchange, known.error());
  std::vector<std::string> echoes;
  if (completion->echo) {
    auto texts = co_await echo_texts(exchange, **model, completion->prompts);
    if (!texts) co_return reply_error(exchange, texts.error());
    echoes = std::move(*texts);
  }

  ReplyHead head = make_reply_head("cmpl-", info.name);
  CompletionDocument document(*completion, head, echoes);
  CompletionStream stream(*completion, std::move(head), std::move(echoes), exchange);
  const bool streamed = completion->call.stream;
  GenerationReceiver& receiver = streamed ? static_cast<GenerationReceiver&>(stream) : document;
  std::vector<GenerationRequest> requests = make_requests(*completion, exchange.request().id);
  const auto outcome = co_await run_generations(exchange, **model, std::move(requests), receiver);
  const Usage& usage = streamed ? stream.usage() : document.usage();
  exchange.count_tokens(usage.prompt_tokens, usage.completion_tokens);
  if (!outcome) co_return reply_error(exchange, outcome.error());
  if (streamed) {
    stream.finish();
  } else {
    exchange.reply(200, "application/json", document.text());
  }
}

}  // namespace

extern const Endpoint endpoint_completions;
const Endpoint endpoint_completions{"POST", kPaths, &handle};

}  // namespace pensieve::server
