// See ollama_answer.h.
#include "server/ollama_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/await_result.h"
#include "server/dialects/embeddings.h"
#include "server/dialects/errors.h"
#include "server/dialects/ollama_reply.h"
#include "server/dialects/volatile_lines.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

using Clock = std::chrono::steady_clock;

// Unloading needs no loaded model.
Result<> unload(Context& context, const OllamaCall& asked) {
  const auto status = context.services.models.unload(asked.call.model);
  if (!status) return tl::unexpected(status.error());
  return {};
}

Result<> check_thinking(const ModelInfo& info, const OllamaCall& asked) {
  const auto& known = info.capabilities;
  if (!asked.must_think || std::find(known.begin(), known.end(), "thinking") != known.end()) return {};
  return fail(Error::Code::unsupported,
              fmt::format("think: model '{}' does not support thinking; leave the field out", info.name),
              "think");
}

Task<Result<std::int64_t>> prompt_size(Exchange& exchange, Inference& model,
                                       const GenerationRequest& generation) {
  if (const auto* text = std::get_if<std::string>(&generation.prompt)) {
    using Answer = Result<TokenizedText>;
    const EncodeOptions flags{generation.add_special, generation.parse_special};
    std::function<void(std::function<void(Answer)>)> start = [&model, text, flags](auto done) {
      model.tokenize(*text, flags, std::move(done));
    };
    const auto tokens = co_await await_result<TokenizedText>(exchange, std::move(start));
    if (!tokens) co_return tl::unexpected(tokens.error());
    co_return static_cast<std::int64_t>(tokens->tokens.size());
  }
  using Answer = Result<std::int64_t>;
  const auto& chat = std::get<ChatRequest>(generation.prompt);
  std::function<void(std::function<void(Answer)>)> start = [&model, &chat](auto done) {
    model.count(chat, std::move(done));
  };
  co_return co_await await_result<std::int64_t>(exchange, std::move(start));
}

// num_ctx below what the model has: prompt and answer must fit into it. Above it, the model's own limit
// holds.
Task<Result<>> limit_context(Exchange& exchange, Inference& model, OllamaCall& asked) {
  const std::int64_t effective = model.info().effective_context;
  if (!asked.context || *asked.context >= effective) co_return Result<>();
  GenerationRequest& generation = asked.call.generation;
  const auto size = co_await prompt_size(exchange, model, generation);
  if (!size) co_return tl::unexpected(size.error());
  if (*size >= *asked.context) {
    Error error{
        Error::Code::exhausted,
        fmt::format("the prompt has {} tokens; the context of options.num_ctx has {}", *size, *asked.context),
        "options.num_ctx",
        "context_length_exceeded",
        {{"n_prompt_tokens", *size}, {"n_ctx", *asked.context}}};
    co_return tl::unexpected(std::move(error));
  }
  const std::int64_t room = *asked.context - *size;
  generation.max_tokens = generation.max_tokens < 0 ? room : std::min(room, generation.max_tokens);
  co_return Result<>();
}

Task<Result<>> prepare(Exchange& exchange, Context& context, Inference& model, OllamaCall& asked) {
  const ModelInfo& info = model.info();
  if (auto fit = fit_to_model(info, asked.call); !fit) co_return fit;
  if (auto checked = check_thinking(info, asked); !checked) co_return checked;
  if (auto kept = keep_model(context, info, asked.call); !kept) co_return kept;
  if (asked.load_only) co_return Result<>();
  co_return co_await limit_context(exchange, model, asked);
}

}  // namespace

std::string ollama_model_name(const Context& context, std::string name) {
  constexpr std::string_view kTag = ":latest";
  if (!name.ends_with(kTag) || context.services.models.find(name)) return name;
  const std::string bare = name.substr(0, name.size() - kTag.size());
  return context.services.models.find(bare) ? bare : name;
}

Task<void> answer_ollama(Exchange& exchange, Context& context, Result<OllamaCall> asked, bool chat) {
  OllamaHead head{chat, {}, Clock::now(), {}};
  if (!asked) co_return reply_error(exchange, asked.error());
  Call& call = asked->call;
  log_unknown(context, exchange, call.unknown);
  steady_lines(context.options->volatile_line, call.generation);
  call.model = ollama_model_name(context, std::move(call.model));
  if (asked->load_only && call.keep_alive && call.keep_alive->count() == 0) {
    if (const auto gone = unload(context, *asked); !gone) co_return reply_error(exchange, gone.error());
    head.model = call.model;
    co_return exchange.reply(200, "application/json", ollama_load_text(head, "unload"));
  }
  const auto model = co_await acquire_model(exchange, context, call.model);
  if (!model) co_return reply_error(exchange, model.error());
  head.load = Clock::now() - head.began;
  head.model = (*model)->info().name;
  const auto ready = co_await prepare(exchange, context, **model, *asked);
  if (!ready) co_return reply_error(exchange, ready.error());
  if (asked->load_only) co_return exchange.reply(200, "application/json", ollama_load_text(head, "load"));

  call.generation.request_id = exchange.request().id;
  OllamaReply reply(std::move(head), call.stream, call.generation.top_logprobs >= 0, exchange);
  std::vector<GenerationRequest> requests;
  requests.push_back(std::move(call.generation));
  const auto outcome = co_await run_generations(exchange, **model, std::move(requests), reply);
  exchange.count_tokens(reply.usage().prompt_tokens, reply.usage().completion_tokens);
  if (!outcome) co_return reply_error(exchange, outcome.error());
  reply.finish();
}

Task<Result<Embeddings>> embed_ollama(Exchange& exchange, Context& context, const OllamaEmbedding& asked) {
  const auto model = co_await acquire_model(exchange, context, ollama_model_name(context, asked.model));
  if (!model) co_return tl::unexpected(model.error());
  Inference& inference = **model;
  if (asked.keep_alive) {
    if (auto kept = context.services.models.keep_alive(inference.info().name, asked.keep_alive); !kept)
      co_return tl::unexpected(kept.error());
  }
  EmbeddingRequest request;
  request.request_id = exchange.request().id;
  request.inputs.assign(asked.inputs.begin(), asked.inputs.end());
  request.truncate = asked.truncate;
  std::function<void(std::function<void(Result<Embeddings>)>)> start = [&inference, &request](auto done) {
    inference.embed(std::move(request), std::move(done));
  };
  auto made = co_await await_result<Embeddings>(exchange, std::move(start));
  if (!made) co_return made;
  if (asked.dimensions) {
    if (auto cut = cut_vectors(*asked.dimensions, made->vectors); !cut) co_return tl::unexpected(cut.error());
  }
  exchange.count_tokens(made->prompt_tokens, 0);
  co_return made;
}

}  // namespace pensieve::server
