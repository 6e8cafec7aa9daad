// From a request to token ids on the text thread, then over to the engine.
#include "manage/local_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "manage/continued_prompt.h"
#include "manage/guarded.h"
#include "manage/logged_sink.h"

namespace pensieve::manage {
namespace {

Error unloading() {
  return Error{Error::Code::unavailable, "the model is being unloaded; ask again", "", "model_unloading", {}};
}

constexpr const char* kReading = "reading the text of the request";

}  // namespace

struct LocalInference::Submission {
  GenerationId id = 0;
  GenerationRequest request;
  std::unique_ptr<ReplySink> sink;
};

LocalInference::~LocalInference() = default;

Result<Prompt> LocalInference::render_chat(const ChatRequest& request) const {
  if (!model_.chat_format) {
    return fail(Error::Code::unsupported,
                fmt::format("model '{}' has no chat template, so it cannot take 'messages'; send plain text "
                            "as 'prompt' to /v1/completions",
                            model_.info.name),
                "messages", "no_chat_template");
  }
  return model_.chat_format->render(request);
}

// What the model is asked to read, and the end of it as text, for the reply's parser.
Result<std::vector<std::int32_t>> LocalInference::prompt_tokens(const GenerationRequest& request,
                                                                std::string& tail) const {
  constexpr std::size_t kTail = 512;
  std::vector<std::int32_t> tokens;
  std::string field = "prompt";
  if (const auto* chat = std::get_if<ChatRequest>(&request.prompt)) {
    field = "messages";
    const Result<Prompt> prompt = render_to_answer(
        *chat, model_.reply_format.get(), [this](const ChatRequest& asked) { return render_chat(asked); });
    if (!prompt) return tl::unexpected(prompt.error());
    tokens = encode_prompt(*model_.tokenizer, *controls_, *prompt);
    for (auto piece = prompt->pieces.rbegin(); piece != prompt->pieces.rend() && tail.size() < kTail; ++piece)
      tail.insert(0, piece->text);
  } else if (const auto* text = std::get_if<std::string>(&request.prompt)) {
    model_.tokenizer->encode(*text, {request.add_special, request.parse_special}, tokens);
  } else {
    tokens = std::get<std::vector<std::int32_t>>(request.prompt);
    const std::int32_t vocabulary = model_.tokenizer->vocabulary();
    for (const std::int32_t token : tokens) {
      if (token < 0 || token >= vocabulary) {
        return fail(Error::Code::invalid,
                    fmt::format("'prompt' has token id {}, but ids of model '{}' go from 0 to {}", token,
                                model_.info.name, vocabulary - 1),
                    "prompt");
      }
    }
  }
  if (tokens.empty())
    return fail(Error::Code::invalid, fmt::format("'{}' gives an empty prompt; send some text", field),
                field);
  return tokens;
}

// The engine bounds its own queue; this bounds the one before it, where conversations wait whole.
Result<> LocalInference::room_for_text() const {
  const std::size_t waiting = text_->backlog();
  if (waiting < most_texts_) return {};
  auto refusal =
      fail(Error::Code::exhausted,
           fmt::format("{} requests wait to be read already, which is the limit; try again later", waiting),
           {}, "queue_full");
  refusal.value().numbers = {{"waiting", static_cast<std::int64_t>(waiting)},
                             {"limit", static_cast<std::int64_t>(most_texts_)}};
  return refusal;
}

GenerationId LocalInference::submit(GenerationRequest request, std::unique_ptr<ReplySink> sink) {
  const GenerationId id = next_id_.fetch_add(1);
  sink = logged_sink(std::move(sink), log_, model_.info.name, request.request_id);
  if (const Result<> room = room_for_text(); !room) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    sink->on_event({0, Failed{room.error()}});
    return id;
  }
  // Shared because std::function must be copyable; the task is its only owner.
  auto submission = std::make_shared<Submission>(Submission{id, std::move(request), std::move(sink)});
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(id, false);
  }
  unread_.fetch_add(1, std::memory_order_relaxed);
  try {
    text_->post([this, submission](bool abandoned) { admit(*submission, abandoned); });
  } catch (const std::bad_alloc&) {
    unread_.fetch_sub(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    waiting_.erase(id);
    throw;
  }
  return id;
}

// Everything that the engine must know; the sink stays, but reads the reply from now on.
Result<engine::Request> LocalInference::prepare(Submission& submission) {
  GenerationRequest& asked = submission.request;
  std::string tail;
  Result<std::vector<std::int32_t>> tokens = prompt_tokens(asked, tail);
  if (!tokens) return tl::unexpected(std::move(tokens.error()));
  auto enforcement = enforcement_of(asked, tail);
  if (!enforcement) return tl::unexpected(std::move(enforcement.error()));
  if (runner_ == nullptr) {
    return fail(Error::Code::unsupported,
                fmt::format("model '{}' makes embeddings only; name a model that writes", model_.info.name),
                "model");
  }
  const bool chat = std::holds_alternative<ChatRequest>(asked.prompt);
  engine::Request request;
  if (chat) request.prompt_field = "messages";
  request.id = submission.id;
  request.prompt = std::move(*tokens);
  request.max_tokens = asked.max_tokens;
  request.min_tokens = asked.min_tokens;
  request.ignore_eos = asked.ignore_eos;
  request.choices = asked.choices;
  request.top_logprobs = asked.top_logprobs;
  request.prompt_logprobs = asked.prompt_logprobs;
  request.cache_prompt = asked.cache_prompt;
  request.enforcement = std::move(*enforcement);
  if (chat && model_.reply_format) {
    request.shown_controls = reply_controls_;
    request.thinking = thinking_limit(asked, tail);
    submission.sink = message_sink(asked, tail, std::move(submission.sink));
  }
  request.sampling = std::move(asked.sampling);
  request.stop = std::move(asked.stop);
  return request;
}

void LocalInference::admit(Submission& submission, bool abandoned) {
  GenerationRequest& request = submission.request;
  bool cancelled = false;
  {
    const std::lock_guard lock(mutex_);
    cancelled = waiting_.at(submission.id);
  }
  Result<engine::Request> ready = tl::unexpected(unloading());
  if (!abandoned && !cancelled) ready = guarded(kReading, [&] { return prepare(submission); });

  std::unique_lock lock(mutex_);
  cancelled = waiting_.at(submission.id);
  waiting_.erase(submission.id);
  unread_.fetch_sub(1, std::memory_order_relaxed);
  if (ready && !cancelled) {
    // Under the lock, so that a cancel that no longer finds the id here finds it in the engine.
    ready->sink = std::move(submission.sink);
    runner_->submit(std::move(*ready));
    return;
  }
  lock.unlock();
  if (cancelled) {
    cancelled_.fetch_add(1, std::memory_order_relaxed);
    for (std::int32_t choice = 0; choice < request.choices; ++choice) {
      submission.sink->on_event({choice, Finished{FinishReason::cancelled, "", {}, {}}});
    }
  } else {
    refused_.fetch_add(1, std::memory_order_relaxed);
    submission.sink->on_event({0, Failed{std::move(ready.error())}});
  }
  submission.sink.reset();
}

void LocalInference::cancel(GenerationId id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = waiting_.find(id); found != waiting_.end()) {
    found->second = true;
  } else if (runner_ != nullptr) {
    runner_->cancel(id);
  }
}

template <class Value, class Work>
void LocalInference::answer(Done<Value> done, Work work) {
  if (const Result<> room = room_for_text(); !room) return done(tl::unexpected(room.error()));
  text_->post([done = std::move(done), work = std::move(work)](bool abandoned) {
    if (abandoned) return done(tl::unexpected(unloading()));
    done(guarded(kReading, work));
  });
}

void LocalInference::render(ChatRequest request, Done<std::string> done) {
  answer(std::move(done), [this, request = std::move(request)]() -> Result<std::string> {
    const Result<Prompt> prompt = render_chat(request);
    if (!prompt) return tl::unexpected(prompt.error());
    return prompt->text();
  });
}

void LocalInference::tokenize(std::string text, EncodeOptions options, Done<TokenizedText> done) {
  answer(std::move(done), [this, text = std::move(text), options]() -> Result<TokenizedText> {
    TokenizedText result;
    model_.tokenizer->encode(text, options, result.tokens);
    result.pieces.reserve(result.tokens.size());
    for (const std::int32_t token : result.tokens)
      result.pieces.emplace_back(model_.tokenizer->bytes(token, true));
    return result;
  });
}

void LocalInference::detokenize(std::vector<std::int32_t> tokens, Done<std::string> done) {
  answer(std::move(done), [this, tokens = std::move(tokens)]() -> Result<std::string> {
    const std::int32_t vocabulary = model_.tokenizer->vocabulary();
    for (const std::int32_t token : tokens) {
      if (token >= 0 && token < vocabulary) continue;
      return fail(Error::Code::invalid,
                  fmt::format("'tokens' has id {}, but ids of model '{}' go from 0 to {}", token,
                              model_.info.name, vocabulary - 1),
                  "tokens");
    }
    return model_.tokenizer->decode(tokens, true);
  });
}

void LocalInference::count(ChatRequest request, Done<std::int64_t> done) {
  answer(std::move(done), [this, request = std::move(request)]() -> Result<std::int64_t> {
    const Result<Prompt> prompt = render_to_answer(
        request, model_.reply_format.get(), [this](const ChatRequest& asked) { return render_chat(asked); });
    if (!prompt) return tl::unexpected(prompt.error());
    return static_cast<std::int64_t>(encode_prompt(*model_.tokenizer, *controls_, *prompt).size());
  });
}

InferenceStats LocalInference::stats() const {
  InferenceStats stats = runner_ != nullptr ? runner_->stats() : InferenceStats{};
  if (runner_ == nullptr) {
    stats.prompt_tokens = embedded_tokens_.load(std::memory_order_relaxed);
    stats.finished = embedded_.load(std::memory_order_relaxed);
    if (embedder_ != nullptr) stats.steps = embedder_->steps();
  }
  stats.memory_bytes = memory_.total();
  stats.failed += refused_.load(std::memory_order_relaxed);
  stats.cancelled += cancelled_.load(std::memory_order_relaxed);
  stats.waiting += unread_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace pensieve::manage
