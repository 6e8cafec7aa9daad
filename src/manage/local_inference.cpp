// From a request to token ids on the text thread, then over to the engine.
#include "manage/local_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/constraint/token_trie.h"
#include "manage/guarded.h"
#include "manage/logged_sink.h"
#include "manage/message_sink.h"

namespace pensieve::manage {
namespace {

Error unloading() {
  return Error{Error::Code::unavailable, "the model is being unloaded; ask again", "", "model_unloading", {}};
}

constexpr const char* kReading = "reading the text of the request";

// Whether the reply can be nothing but calls.
bool only_calls(const GenerationRequest& request) {
  const auto* chat = std::get_if<ChatRequest>(&request.prompt);
  return chat != nullptr && !chat->tools.empty() && chat->tool_choice.mode == ToolChoice::Mode::required;
}

std::vector<Tool> callable_tools(const ChatRequest& chat) {
  const std::vector<std::string>& names = chat.tool_choice.names;
  std::vector<Tool> tools;
  for (const Tool& tool : chat.tools) {
    if (names.empty() || std::find(names.begin(), names.end(), tool.name) != names.end())
      tools.push_back(tool);
  }
  return tools;
}

// Where a client looks for the constraint that is refused.
std::string field_of(const GenerationRequest& request) {
  if (!request.constraint) return "tools";
  switch (request.constraint->kind) {
    case Constraint::Kind::regex:
      return "regex";
    case Constraint::Kind::gbnf:
    case Constraint::Kind::lark:
      return "grammar";
    default:
      return "response_format";
  }
}

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
    const Result<Prompt> prompt = render_chat(*chat);
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

std::unique_ptr<ReplySink> LocalInference::message_sink(const ChatRequest& chat,
                                                        const GenerationRequest& request,
                                                        std::string_view tail,
                                                        std::unique_ptr<ReplySink> client) const {
  std::vector<std::unique_ptr<ReplyParser>> parsers;
  for (std::int32_t choice = 0; choice < std::clamp(request.choices, 1, 128); ++choice) {
    parsers.push_back(only_calls(request) ? model_.reply_format->enforced_parser(tail)
                                          : model_.reply_format->parser(chat, tail));
  }
  return std::make_unique<MessageSink>(std::move(parsers), std::move(client));
}

// What the sampler must keep to: the constraint of the answer, a call, or, with both allowed, either.
Result<std::optional<engine::Enforcement>> LocalInference::enforcement_of(const GenerationRequest& request,
                                                                          std::string_view tail) {
  if (!request.constraint && !only_calls(request)) return std::nullopt;
  if (!trie_) trie_ = std::make_shared<engine::constraint::TokenTrie>(*model_.tokenizer);
  engine::constraint::AnswerForm form;
  if (!only_calls(request)) form.content = request.constraint;
  form.controls = trie_->controls();
  if (const auto* chat = std::get_if<ChatRequest>(&request.prompt); chat != nullptr && model_.reply_format) {
    form.form = model_.reply_format->enforced_form();
    form.thinking = model_.reply_format->thinking(tail);
    std::vector<Tool> tools = callable_tools(*chat);
    if (!tools.empty() && chat->tool_choice.mode != ToolChoice::Mode::none)
      form.calls = engine::constraint::AnswerForm::Calls{std::move(tools), chat->tool_choice.parallel};
  }
  Result<engine::constraint::Program> program = engine::constraint::compile(form);
  if (!program) {
    Error error = std::move(program.error());
    error.code = Error::Code::invalid;
    error.field = field_of(request);
    return tl::unexpected(std::move(error));
  }
  return engine::Enforcement{std::move(*program), trie_};
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

void LocalInference::admit(Submission& submission, bool abandoned) {
  GenerationRequest& request = submission.request;
  bool cancelled = false;
  {
    const std::lock_guard lock(mutex_);
    cancelled = waiting_.at(submission.id);
  }
  Result<std::vector<std::int32_t>> tokens = tl::unexpected(unloading());
  std::string tail;
  if (!abandoned && !cancelled) tokens = guarded(kReading, [&] { return prompt_tokens(request, tail); });
  std::optional<engine::Enforcement> enforcement;
  const auto* chat = std::get_if<ChatRequest>(&request.prompt);
  const bool message = tokens && chat != nullptr && model_.reply_format != nullptr;
  if (tokens) {
    const Result<> ready = guarded(kReading, [&]() -> Result<> {
      Result<std::optional<engine::Enforcement>> made = enforcement_of(request, tail);
      if (!made) return tl::unexpected(std::move(made.error()));
      enforcement = std::move(*made);
      if (message) submission.sink = message_sink(*chat, request, tail, std::move(submission.sink));
      return {};
    });
    if (!ready) tokens = tl::unexpected(ready.error());
  }

  if (tokens && runner_ == nullptr) {
    tokens = fail(Error::Code::unsupported,
                  fmt::format("model '{}' makes embeddings only; name a model that writes", model_.info.name),
                  "model");
  }

  std::unique_lock lock(mutex_);
  cancelled = waiting_.at(submission.id);
  waiting_.erase(submission.id);
  unread_.fetch_sub(1, std::memory_order_relaxed);
  if (tokens && !cancelled) {
    // Under the lock, so that a cancel that no longer finds the id here finds it in the engine.
    runner_->submit(engine::Request{
        submission.id, std::move(*tokens), std::move(request.sampling), request.max_tokens,
        request.min_tokens, std::move(request.stop), request.ignore_eos, request.choices,
        request.top_logprobs, request.prompt_logprobs, request.cache_prompt,
        message ? reply_controls_ : nullptr, std::move(enforcement), std::move(submission.sink)});
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
    submission.sink->on_event({0, Failed{std::move(tokens.error())}});
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
    const Result<Prompt> prompt = render_chat(request);
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
