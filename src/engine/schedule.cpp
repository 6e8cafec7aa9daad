// The engine's half of scheduling: shows its state to the pure scheduler and carries the plan out with real
// pages. Not for policy: scheduler.cpp.
#include <algorithm>
#include <iterator>

#include "engine/engine.h"

namespace pensieve::engine {
namespace {

// Rows of a prompt whose log-probabilities are wanted, in one step: each costs a row of logits and a softmax
// on this thread.
constexpr std::int32_t kLogprobRows = 64;

// A step should not outlast these. Cancelled requests and new ones wait for the end of a step: half a second
// still feels prompt. While answers are written, it is the gap that their readers see.
constexpr double kPromptStepMilliseconds = 500;
constexpr double kGapMilliseconds = 100;

}  // namespace

void Engine::schedule() {
  const StepPlan plan = make_plan();
  now_ = clock_();
  shares_.clear();
  copies_.clear();
  const std::vector<Sequence*> running = running_;  // indices of the plan
  for (const std::int32_t index : plan.preempted) preempt(*running[static_cast<std::size_t>(index)]);
  // Cached pages are taken before any page is allocated: allocation may evict.
  for (const StepPlan::Share& share : plan.shares) {
    if (share.admitted) admit(candidates_[static_cast<std::size_t>(share.index)]);
  }
  for (const StepPlan::Share& share : plan.shares) {
    const auto index = static_cast<std::size_t>(share.index);
    Sequence& sequence = share.admitted ? *candidates_[index].sequence : *running[index];
    if (!grow(sequence, share.rows)) continue;
    shares_.push_back({&sequence, share.rows});
    if (share.admitted && sequence.restored_from >= 0 && sequence.restored_from != sequence.slot)
      copies_.push_back({slot_group_, sequence.restored_from, sequence.slot});
    if (!share.admitted || candidates_[index].copied_page < 0) continue;
    for (std::uint32_t group = 0; group < state_groups_; ++group) {
      copies_.push_back(
          {group, candidates_[index].copied_page, sequence.pages[candidates_[index].pages.size()]});
    }
  }
  for (const StepShare& share : shares_) {  // after the last allocation: the pages are sources of copies
    Generation& generation = *share.sequence->generation;
    if (generation.fork_pages.empty()) continue;
    const bool all_started = std::all_of(generation.choices.begin(), generation.choices.end(),
                                         [](const auto& choice) { return choice->started; });
    if (all_started) store_.release_all(generation.fork_pages);
  }
}

// Pages kept for choices that have not started are given up before anyone is preempted.
StepPlan Engine::make_plan() {
  for (Sequence* sequence : running_) {
    if (slots_.used()) break;  // recurrent state is not to be had in the middle
    if (sequence->length() - sequence->computed <= 1 || !reuses_cache(*sequence)) continue;
    const std::int32_t reached = store_.extend(0, sequence->tokens, sequence->computed, sequence->pages);
    count_cached(*sequence, reached);
    sequence->computed = reached;
  }
  limits_.prompt_rows = pace_.rows_within(kPromptStepMilliseconds, step_rows_);
  limits_.prompt_rows_beside_answers = pace_.rows_within(kGapMilliseconds, step_rows_);
  const auto plan = [this] {
    look_at_running();
    look_at_waiting();
    return plan_step({running_states_, waiting_states_, store_.available()}, limits_);
  };
  StepPlan first = plan();
  if ((first.preempted.empty() && !first.shares.empty()) || !drop_forks()) return first;
  return plan();
}

void Engine::look_at_running() {
  const bool scarce =
      store_.available() < static_cast<std::int32_t>(running_.size());  // else nobody is preempted
  running_states_.clear();
  for (const Sequence* sequence : running_) {
    SequenceState state{.length = sequence->length(),
                        .computed = sequence->computed,
                        .pages = static_cast<std::int32_t>(sequence->pages.size()),
                        .row_limit = row_limit(*sequence, sequence->computed, sequence->branch)};
    if (scarce) {
      state.own_pages = static_cast<std::int32_t>(
          std::count_if(sequence->pages.begin(), sequence->pages.end(),
                        [this](std::int32_t page) { return !store_.is_shared(page); }));
    }
    running_states_.push_back(state);
  }
}

// Only as many as one step could admit: looking a prompt up in the cache costs time in proportion to its
// length.
void Engine::look_at_waiting() {
  waiting_states_.clear();
  candidates_.clear();
  auto places = static_cast<std::int64_t>(limits_.parallel) - static_cast<std::int64_t>(running_.size());
  std::int64_t rows = limits_.step_rows;
  for (auto it = waiting_.begin(); it != waiting_.end() && places > 0 && rows > 0; ++it, --places) {
    SequenceState state;
    candidates_.push_back(candidate_for(**it, state));
    rows -= state.pending();
    waiting_states_.push_back(state);
  }
}

Engine::Candidate Engine::candidate_for(Sequence& sequence, SequenceState& state) const {
  const Generation& generation = *sequence.generation;
  Candidate candidate{.sequence = &sequence};
  state = {.length = sequence.length()};
  if (!sequence.started && !generation.fork_pages.empty()) {
    const std::int32_t shared = generation.prompt_length() - 1;
    const std::int32_t whole = shared / store_.page_tokens();
    candidate.computed = shared;
    candidate.pages.assign(generation.fork_pages.begin(), generation.fork_pages.begin() + whole);
    if (shared % store_.page_tokens() != 0) candidate.copied_page = generation.fork_pages.back();
  } else if (reuses_cache(sequence)) {
    CachedPrefix prefix = store_.match(0, sequence.tokens);
    if (slots_.used()) trim_to_checkpoint(prefix, candidate.branch);
    candidate.computed = static_cast<std::int32_t>(prefix.pages.size()) * store_.page_tokens();
    candidate.pages = std::move(prefix.pages);
    state.idle_pages = prefix.idle;
  }
  state.row_limit = row_limit(sequence, candidate.computed, candidate.branch);
  state.computed = candidate.computed;
  state.pages = static_cast<std::int32_t>(candidate.pages.size());
  return candidate;
}

bool Engine::reuses_cache(const Sequence& sequence) const {
  const Generation& generation = *sequence.generation;
  const bool wants_rows = generation.request.prompt_logprobs && sequence.choice == 0 &&
                          std::ssize(generation.prompt_logprobs) < generation.prompt_length();
  return publishes(sequence) && !wants_rows;
}

bool Engine::publishes(const Sequence& sequence) const {
  return prefix_cache_ && sequence.generation->request.cache_prompt;
}

std::int32_t Engine::row_limit(const Sequence& sequence, std::int32_t computed, std::int32_t branch) const {
  const Request& request = sequence.generation->request;
  const std::int32_t limit = request.prompt_logprobs && sequence.choice == 0 ? kLogprobRows : 0;
  if (!slots_.used()) return limit;
  const std::int32_t stop = next_stop(sequence, computed, branch);
  if (stop == 0) return limit;
  return limit == 0 ? stop - computed : std::min(limit, stop - computed);
}

void Engine::admit(const Candidate& candidate) {
  Sequence& sequence = *candidate.sequence;
  waiting_.erase(&sequence);
  running_.insert(std::upper_bound(running_.begin(), running_.end(), &sequence, ByAge{}), &sequence);
  sequence.phase = Sequence::Phase::running;
  const bool anew = lost_checkpoint(candidate);
  if (!anew) sequence.pages = candidate.pages;
  for (const std::int32_t page : sequence.pages) store_.retain(page);
  sequence.computed = anew ? 0 : candidate.computed;
  sequence.published = static_cast<std::int32_t>(sequence.pages.size());
  if (slots_.used()) enter_slot(sequence, candidate.branch);
  if (sequence.choice == 0) count_cached(sequence, sequence.computed);
  if (!sequence.started) announce(sequence);
}

// Pages for the rows of this step. The scheduler has counted them; should it be wrong, the sequence waits.
bool Engine::grow(Sequence& sequence, std::int32_t rows) {
  const std::int32_t needed = store_.pages_for(sequence.computed + rows);
  while (static_cast<std::int32_t>(sequence.pages.size()) < needed) {
    const std::int32_t page = store_.allocate();
    if (page < 0) {
      preempt(sequence);
      return false;
    }
    if (slots_.used()) slots_.forget(page);  // its number is another's now
    sequence.pages.push_back(page);
  }
  return true;
}

// What was written stays written; the tokens are read again when there is room, as if they were a prompt.
void Engine::preempt(Sequence& sequence) {
  leave(sequence);
  sequence.phase = Sequence::Phase::waiting;
  waiting_.insert(&sequence);
}

bool Engine::drop_forks() {
  bool dropped = false;
  for (const auto& entry : generations_) {
    dropped = dropped || !entry.second->fork_pages.empty();
    store_.release_all(entry.second->fork_pages);
  }
  return dropped;
}

void Engine::count_cached(const Sequence& sequence, std::int32_t reached) {
  Generation& generation = *sequence.generation;
  const std::int64_t cached = std::min(reached, generation.prompt_length()) - generation.prompt_seen;
  if (cached <= 0) return;
  generation.cached_tokens += cached;
  generation.prompt_seen += cached;
  add(counters_.cached_tokens, static_cast<std::uint64_t>(cached));
}

}  // namespace pensieve::engine
