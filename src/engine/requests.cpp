// The life of a request: checked, queued, answered, ended: every way out releases its pages and posts its
// last event. Not for computing: engine.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <new>

#include "engine/engine.h"
#include "engine/random.h"

namespace pensieve::engine {
namespace {

constexpr std::int32_t kMostChoices = 128;

SamplingParams without_end(SamplingParams sampling, const std::vector<std::int32_t>& end_tokens) {
  for (const std::int32_t token : end_tokens)
    sampling.logit_bias.emplace_back(token, -std::numeric_limits<float>::infinity());
  return sampling;
}

}  // namespace

Error error_of(const std::exception& problem) {
  if (dynamic_cast<const std::bad_alloc*>(&problem) != nullptr)
    return Error{Error::Code::exhausted, "out of memory", {}, {}, {}};
  return Error{Error::Code::internal, fmt::format("the engine failed: {}", problem.what()), {}, {}, {}};
}

Result<> Engine::check(const Request& request) const {
  const auto prompt = static_cast<std::int64_t>(request.prompt.size());
  if (prompt == 0)
    return fail(Error::Code::invalid, "the prompt is empty; give at least one token", request.prompt_field);
  if (prompt + 1 > context_) {
    auto refusal = fail(Error::Code::invalid,
                        fmt::format("the prompt has {} tokens, but the context of {} holds {} and an answer "
                                    "of one; shorten it by {} tokens",
                                    prompt, context_, context_ - 1, prompt + 1 - context_),
                        request.prompt_field, "context_length_exceeded");
    refusal.value().numbers = {
        {"n_prompt_tokens", prompt}, {"n_ctx", context_}, {"over_by", prompt + 1 - context_}};
    return refusal;
  }
  for (const std::int32_t token : request.prompt) {
    if (token >= 0 && token < vocabulary_) continue;
    return fail(
        Error::Code::invalid,
        fmt::format("token id {} of the prompt is outside the vocabulary (0 to {})", token, vocabulary_ - 1),
        request.prompt_field);
  }
  if (request.choices < 1 || request.choices > kMostChoices) {
    return fail(Error::Code::invalid,
                fmt::format("{} choices were asked for; 1 to {} are possible", request.choices, kMostChoices),
                "n");
  }
  if (request.enforcement && device_draws_) {
    return fail(
        Error::Code::unsupported,
        "this device draws tokens itself, so answers cannot be constrained on it; use another backend");
  }
  if (generations_.contains(request.id)) {
    return fail(Error::Code::internal, fmt::format("generation id {} is in use", request.id));
  }
  if (request.thinking && std::ssize(request.thinking->readers) != request.choices)
    return fail(Error::Code::internal, "a budget for reasoning needs a reader for each choice");
  const std::int64_t places = std::max<std::int64_t>(limits_.parallel - std::ssize(running_), 0);
  if (queued_ < queue_limit_ + places) return {};
  auto refusal = fail(Error::Code::exhausted,
                      fmt::format("{} requests wait already, which is the limit; try again later", queued_),
                      {}, "queue_full");
  refusal.value().numbers = {{"waiting", queued_}, {"limit", queue_limit_}};
  return refusal;
}

void Engine::submit(Request request, double at) {
  std::unique_ptr<ReplySink> sink = std::move(request.sink);  // whatever happens, it can be told
  try {
    if (Result<> checked = check(request); !checked) return refuse(sink.get(), checked.error());
    const GenerationId id = request.id;
    enqueue(std::move(request), at);
    generations_.at(id)->request.sink = std::move(sink);
  } catch (const std::exception& problem) {
    refuse(sink.get(), error_of(problem));
  }
}

// All or nothing: what can fail comes first.
void Engine::enqueue(Request request, double at) {
  auto generation = std::make_unique<Generation>();
  generation->request = std::move(request);
  Request& own = generation->request;
  generation->arrival = arrivals_++;
  generation->submitted_at = at;
  generation->seed = own.sampling.seed ? *own.sampling.seed : random_seed();
  generation->unfinished = own.choices;
  if (own.ignore_eos || own.min_tokens > 0)
    generation->sampling_without_end = without_end(own.sampling, end_tokens_);
  if (own.prompt_logprobs) generation->prompt_logprobs.push_back(logprobs_.unknown(own.prompt.front()));
  std::shared_ptr<constraint::Automaton> automaton;
  if (own.enforcement)
    automaton = std::make_shared<constraint::Automaton>(own.enforcement->program, *own.enforcement->trie);
  for (std::int32_t choice = 0; choice < own.choices; ++choice) {
    generation->choices.push_back(
        std::make_unique<Sequence>(*generation, choice, Emitter(tokenizer_, own.stop, own.shown_controls)));
    Sequence& made = *generation->choices.back();
    if (automaton) made.matcher = std::make_unique<constraint::Matcher>(automaton);
    if (!own.thinking) continue;
    auto& reader = own.thinking->readers[static_cast<std::size_t>(choice)];
    made.thinking =
        std::make_unique<ThinkingWatch>(std::move(reader), own.thinking->tokens, own.thinking->close);
  }
  Sequence& first = *generation->choices.front();
  first.tokens = own.prompt;
  first.phase = Sequence::Phase::waiting;
  generations_.reserve(generations_.size() + 1);
  const auto place = waiting_.insert(&first).first;
  try {
    generations_.emplace(own.id, std::move(generation));
  } catch (...) {
    waiting_.erase(place);
    throw;
  }
  ++queued_;
}

void Engine::refuse(ReplySink* sink, const Error& error) noexcept {
  add(counters_.failed, 1);
  tell_failure(sink, error);
}

void Engine::fail_all(const Error& error) noexcept {
  outbox_.deliver();
  for (const auto& entry : generations_) refuse(entry.second->request.sink.get(), error);
  shares_.clear();
  copies_.clear();
  candidates_.clear();
  running_.clear();
  waiting_.clear();
  generations_.clear();
  queued_ = 0;
  store_.reset();
  slots_.reset();
  saves_.clear();
  update_gauges();
}

void Engine::cancel(GenerationId id) {
  const auto found = generations_.find(id);
  if (found == generations_.end()) return;
  Generation& generation = *found->second;
  generation.cancelled = true;
  for (const auto& choice : generation.choices) {
    if (choice->phase != Sequence::Phase::finished) finish(*choice, FinishReason::cancelled);
  }
}

void Engine::cancel_all() {
  std::vector<GenerationId> ids;
  for (const auto& entry : generations_) ids.push_back(entry.first);
  std::sort(ids.begin(), ids.end());
  for (const GenerationId id : ids) cancel(id);
}

void Engine::announce(Sequence& sequence) {
  Generation& generation = *sequence.generation;
  sequence.started = true;
  sequence.started_at = now_;
  if (sequence.choice == 0) --queued_;
  outbox_.post(generation, sequence.choice, Started{generation.prompt_length(), generation.cached_tokens});
  if (sequence.choice == 0 || !generation.request.prompt_logprobs) return;
  outbox_.post(generation, sequence.choice, PromptLogprobs{generation.prompt_logprobs});
}

void Engine::show(Sequence& sequence) {
  if (std::optional<TextDelta> delta = sequence.emitter.take()) {
    outbox_.post(*sequence.generation, sequence.choice, std::move(*delta));
  }
}

void Engine::finish(Sequence& sequence, FinishReason reason) {
  Generation& generation = *sequence.generation;
  sequence.emitter.finish();
  show(sequence);
  const std::int64_t answered = std::max(sequence.length() - generation.prompt_length(), 0);
  Finished finished{.reason = reason, .stop = sequence.emitter.stop(), .usage = {}, .timings = {}};
  finished.usage = {.prompt_tokens = generation.prompt_length(),
                    .cached_tokens = generation.cached_tokens,
                    .completion_tokens = answered};
  const double end = clock_();
  const double started = sequence.started ? sequence.started_at : end;
  const double first_token = answered > 0 ? sequence.first_token_at : end;
  finished.timings = {.queue = started - generation.submitted_at,
                      .prompt = first_token - started,
                      .predict = end - first_token};
  outbox_.post(generation, sequence.choice, std::move(finished));
  leave(sequence);
  sequence.phase = Sequence::Phase::finished;
  if (--generation.unfinished > 0) return;
  add(generation.cancelled ? counters_.cancelled : counters_.finished, 1);
  this->end(generation);
}

// Out of running or waiting, pages given back.
void Engine::leave(Sequence& sequence) {
  if (sequence.phase == Sequence::Phase::running)
    running_.erase(std::find(running_.begin(), running_.end(), &sequence));
  if (sequence.phase == Sequence::Phase::waiting) waiting_.erase(&sequence);
  store_.release_all(sequence.pages);
  leave_slot(sequence);
  sequence.computed = sequence.published = 0;
}

void Engine::fail_generation(Generation& generation, const Error& error) {
  add(counters_.failed, 1);
  outbox_.post(generation, 0, Failed{error});
  for (const auto& choice : generation.choices) {
    leave(*choice);
    choice->phase = Sequence::Phase::finished;
  }
  end(generation);
}

void Engine::end(Generation& generation) {
  store_.release_all(generation.fork_pages);
  if (!generation.choices.front()->started) --queued_;
  const auto found = generations_.find(generation.request.id);
  outbox_.retire(std::move(found->second));
  generations_.erase(found);
}

// Whatever the rows of this step left in their pages is worthless; pages of earlier steps are not.
void Engine::fail_step(const Error& error) {
  Error told = error;
  told.code = Error::Code::internal;
  told.what = fmt::format("the device failed while it computed this answer: {}", error.what);
  for (const StepShare& share : shares_) {
    if (share.sequence->phase != Sequence::Phase::finished)
      fail_generation(*share.sequence->generation, told);
  }
}

void Engine::update_gauges() {
  counters_.running.store(static_cast<std::int32_t>(running_.size()), std::memory_order_relaxed);
  counters_.waiting.store(static_cast<std::int32_t>(waiting_.size()), std::memory_order_relaxed);
  counters_.pages_used.store(store_.used(), std::memory_order_relaxed);
  counters_.pages_total.store(store_.total(), std::memory_order_relaxed);
  counters_.memory_bytes.store(plan_->memory().total(), std::memory_order_relaxed);
}

}  // namespace pensieve::engine
