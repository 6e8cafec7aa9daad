// One step: the device works while the events of the step before are delivered; then its rows become tokens.
// Not for which rows: schedule.cpp. Not for the life of a request: requests.cpp.
#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "engine/random.h"

namespace pensieve::engine {
namespace {

std::vector<std::int32_t> end_tokens_of(const Tokenizer& tokenizer) {
  std::vector<std::int32_t> tokens;
  for (std::int32_t token = 0; token < tokenizer.vocabulary(); ++token) {
    if (tokenizer.is_end(token)) tokens.push_back(token);
  }
  return tokens;
}

// The mask and the draw disagree: what follows could be anything.
Error broken_constraint(std::int32_t token) {
  return {
      Error::Code::internal,
      fmt::format("token {} was drawn, which the constraint of the answer does not allow; ask again", token),
      {},
      "constraint_broken",
      {}};
}

}  // namespace

Engine::Engine(const Graph& graph, const Tokenizer& tokenizer, const DeviceInfo& device,
               std::unique_ptr<Plan> plan, const Capacity& capacity, const Options& options, Clock clock,
               Counters& counters)
    : tokenizer_(tokenizer),
      counters_(counters),
      clock_(std::move(clock)),
      plan_(std::move(plan)),
      vocabulary_(graph.vocabulary),
      context_(capacity.context),
      queue_limit_(options.queue),
      state_groups_(graph.state_groups),
      slot_group_(graph.slot_group()),
      device_draws_(device.draws_tokens),
      prefix_cache_(options.prefix_cache),
      step_rows_(static_cast<std::int32_t>(options.step_rows)),
      limits_{.page_tokens = capacity.plan.page_tokens,
              .step_rows = step_rows_,
              .parallel = static_cast<std::int32_t>(options.parallel)},
      end_tokens_(end_tokens_of(tokenizer)),
      store_(capacity.plan.page_count, capacity.plan.page_tokens, random_seed()),
      slots_(capacity.plan.slot_count, capacity.plan.page_count),
      builder_(graph.state_groups),
      logprobs_(tokenizer) {
  update_gauges();
}

void Engine::step() {
  schedule();
  if (!shares_.empty()) {
    const Batch& batch = builder_.build(shares_);
    if (const Result<StepOutput> output = run(batch)) {
      read(*output);
    } else {
      fail_step(output.error());
    }
  }
  if (shares_.empty() || (running_.empty() && waiting_.empty())) deliver();  // no work to hide it behind
  update_gauges();
}

// A device that throws has failed like one that says so.
Result<StepOutput> Engine::run(const Batch& batch) {
  try {
    return compute(batch);
  } catch (const std::exception& problem) {
    return tl::unexpected(error_of(problem));
  }
}

Result<StepOutput> Engine::compute(const Batch& batch) {
  const double began = clock_();
  if (auto copied = copy_states(); !copied) return tl::unexpected(copied.error());
  if (auto started = plan_->submit(batch, {}, {}); !started) return tl::unexpected(started.error());
  const std::vector<GenerationId> broken = outbox_.deliver();
  prepare_masks();
  Result<StepOutput> output = plan_->wait();
  for (const GenerationId id : broken) cancel(id);
  add(counters_.steps, 1);
  pace_.record(batch.rows(), clock_() - began);
  if (!output) return output;
  const std::size_t rows = builder_.outputs().size();
  const bool drawn = device_draws_ && output->tokens.size() == rows;
  const bool has_logits = output->logits.size() == rows * static_cast<std::size_t>(vocabulary_);
  if ((device_draws_ && !drawn) || (!device_draws_ && !has_logits)) {
    return fail(Error::Code::internal,
                fmt::format("the device answered {} logits and {} tokens for {} output rows",
                            output->logits.size(), output->tokens.size(), rows));
  }
  return output;
}

Result<> Engine::copy_states() {
  if (!saves_.empty()) {
    const std::vector<StateCopy> saves = std::exchange(saves_, {});
    auto saved = plan_->copy_state(saves);
    if (!saved) slots_.forget_all();  // nobody knows which of them hold what they should
    if (!saved) return saved;
  }
  if (copies_.empty()) return {};
  return plan_->copy_state(copies_);
}

void Engine::read(const StepOutput& output) {
  now_ = clock_();
  std::size_t index = 0;
  const std::span<const OutputRow> rows = builder_.outputs();
  for (const StepShare& share : shares_) {
    Sequence& sequence = *share.sequence;
    settle(share);
    for (; index < rows.size() && rows[index].sequence == &sequence; ++index) {
      if (sequence.phase == Sequence::Phase::running) read_row(rows[index], index, output);
    }
    const bool read_whole =
        sequence.phase == Sequence::Phase::running && sequence.computed == sequence.length();
    if (read_whole && sequence.generation->reads_only()) prompt_is_read(sequence);
  }
}

// The rows of the step are computed: their state is in the pages, for others too.
void Engine::settle(const StepShare& share) {
  Sequence& sequence = *share.sequence;
  if (sequence.phase != Sequence::Phase::running) return;
  Generation& generation = *sequence.generation;
  sequence.computed += share.rows;
  const std::int64_t seen = std::min(sequence.computed, generation.prompt_length());
  if (seen > generation.prompt_seen) {
    add(counters_.prompt_tokens, static_cast<std::uint64_t>(seen - generation.prompt_seen));
    generation.prompt_seen = seen;
  }
  if (!publishes(sequence)) return;
  sequence.published =
      store_.publish(0, sequence.tokens, sequence.computed, sequence.published, sequence.pages);
  if (slots_.used()) keep_state(sequence);
}

void Engine::read_row(const OutputRow& row, std::size_t index, const StepOutput& output) {
  Sequence& sequence = *row.sequence;
  Generation& generation = *sequence.generation;
  const auto vocabulary = static_cast<std::size_t>(vocabulary_);
  const bool has_logits = output.logits.size() >= (index + 1) * vocabulary;
  const auto logits =
      has_logits ? output.logits.subspan(index * vocabulary, vocabulary) : std::span<const float>{};
  if (!row.next_token) {
    const std::int32_t token = sequence.tokens[static_cast<std::size_t>(row.position) + 1];
    generation.prompt_logprobs.push_back(logprobs_.read(logits, token, generation.request.top_logprobs));
    return;
  }
  if (sequence.length() == generation.prompt_length()) prompt_is_read(sequence);
  const Result<std::int32_t> token = next_token(sequence, index, output);
  if (!token) return fail_generation(generation, token.error());
  std::optional<TokenLogprob> logprob;
  if (generation.wants_logprobs()) logprob = logprobs_.read(logits, *token, generation.request.top_logprobs);
  append(sequence, *token, std::move(logprob));
}

// Once for each choice, before its first token. After the first choice's the others may start, from its
// pages.
void Engine::prompt_is_read(Sequence& sequence) {
  Generation& generation = *sequence.generation;
  if (sequence.choice != 0) return;
  if (generation.request.prompt_logprobs)
    outbox_.post(generation, 0, PromptLogprobs{generation.prompt_logprobs});
  if (generation.reads_only()) {
    for (const auto& choice : generation.choices) {
      if (!choice->started) announce(*choice);
      finish(*choice, FinishReason::length);
    }
    return;
  }
  if (generation.choices.size() == 1) return;
  for (const auto& choice : generation.choices) {
    if (choice->phase != Sequence::Phase::blocked) continue;
    choice->tokens = generation.request.prompt;
    choice->phase = Sequence::Phase::waiting;
    waiting_.insert(choice.get());
  }
  if (slots_.used()) return;  // its recurrent state has passed the place where the others begin
  const std::int32_t shared = store_.pages_for(generation.prompt_length() - 1);
  generation.fork_pages.assign(sequence.pages.begin(), sequence.pages.begin() + shared);
  for (const std::int32_t page : generation.fork_pages) store_.retain(page);
}

Result<std::int32_t> Engine::next_token(const Sequence& sequence, std::size_t index,
                                        const StepOutput& output) {
  if (sequence.thinking) {
    if (const std::optional<std::int32_t> token = sequence.thinking->forced()) return *token;
  }
  if (!device_draws_ && output.tokens.empty()) {
    const auto vocabulary = static_cast<std::size_t>(vocabulary_);
    std::span<const std::uint64_t> allowed;
    if (sequence.matcher) {
      const Result<std::span<const std::uint64_t>> mask = sequence.matcher->allowed();
      if (!mask) return tl::unexpected(mask.error());
      allowed = *mask;
    }
    return sampler_.draw(output.logits.subspan(index * vocabulary, vocabulary), sampling_of(sequence),
                         sequence.tokens, random_of(sequence), allowed);
  }
  const std::int32_t token = output.tokens[index];
  if (token >= 0 && token < vocabulary_) return token;
  return fail(Error::Code::internal,
              fmt::format("the device drew token {}, outside the vocabulary of {}", token, vocabulary_));
}

// While the device works: what the next tokens may be is known from those before. Only ahead of time: what
// fails here fails again, and is told, when the row is drawn; the step that is under way must be waited for
// whatever happens.
void Engine::prepare_masks() {
  try {
    for (const StepShare& share : shares_) {
      if (share.sequence->matcher) (void)share.sequence->matcher->allowed();
    }
  } catch (const std::exception&) {
    return;
  }
}

void Engine::append(Sequence& sequence, std::int32_t token, std::optional<TokenLogprob> logprob) {
  const Generation& generation = *sequence.generation;
  const Request& request = generation.request;
  sequence.tokens.push_back(token);
  add(counters_.generated_tokens, 1);
  const std::int64_t answered = sequence.length() - generation.prompt_length();
  if (answered == 1) sequence.first_token_at = now_;
  const bool may_end = !request.ignore_eos && answered > request.min_tokens;
  if (may_end && tokenizer_.is_end(token)) return finish(sequence, FinishReason::stop);
  if (sequence.thinking) sequence.thinking->add(sequence.emitter.text_of(token));
  bool complete = false;
  if (sequence.matcher && !tokenizer_.is_end(token)) {
    const Result<bool> taken = sequence.matcher->accept(token);
    if (!taken) return fail_generation(*sequence.generation, taken.error());
    if (!*taken) return fail_generation(*sequence.generation, broken_constraint(token));
    complete = sequence.matcher->must_end();
  }
  if (sequence.emitter.add(token, std::move(logprob), answered >= request.min_tokens)) {
    return finish(sequence, FinishReason::stop);
  }
  if (complete) return finish(sequence, FinishReason::stop);
  if (answered == request.max_tokens || sequence.length() >= context_)
    return finish(sequence, FinishReason::length);
  show(sequence);
}

void Engine::deliver() {
  for (const GenerationId id : outbox_.deliver()) cancel(id);
}

}  // namespace pensieve::engine
