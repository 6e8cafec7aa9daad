// The scheduler's three passes: single rows, prompts of running sequences, admissions.
// Not for fairness among clients: the queue is first come, first served.
#include "engine/scheduler.h"

#include <algorithm>

namespace pensieve::engine {
namespace {

class Planner {
 public:
  Planner(const SchedulerState& state, const SchedulerLimits& limits)
      : state_(state),
        limits_(limits),
        available_(state.available_pages),
        kept_(static_cast<std::int32_t>(state.running.size())) {}

  StepPlan plan() {
    single_rows();
    prompt_budget();
    prompts();
    while (plan_.shares.empty() && kept_ > 1) {  // only prompts without pages: the oldest must get on
      preempt_youngest();
      prompts();
    }
    if (plan_.preempted.empty()) admissions();
    return std::move(plan_);
  }

 private:
  std::int32_t pages_for(std::int32_t tokens) const {
    return (tokens + limits_.page_tokens - 1) / limits_.page_tokens;
  }
  std::int32_t new_pages(const SequenceState& sequence, std::int32_t rows) const {
    return std::max(pages_for(sequence.computed + rows) - sequence.pages, 0);
  }
  const SequenceState& running(std::int32_t i) const { return state_.running[static_cast<std::size_t>(i)]; }

  // Victims stand behind every sequence that has got rows so far, so no share is ever taken back.
  void preempt_youngest() {
    --kept_;
    available_ += running(kept_).own_pages;
    plan_.preempted.push_back(kept_);
  }

  void single_rows() {
    for (std::int32_t i = 0; i < kept_; ++i) {
      if (running(i).pending() != 1) continue;
      while (new_pages(running(i), 1) > available_ && kept_ > std::max(i, 1)) preempt_youngest();
      if (i >= kept_ || new_pages(running(i), 1) > available_) continue;
      available_ -= new_pages(running(i), 1);
      plan_.shares.push_back({i, false, 1});
    }
  }

  // While answers are written, prompts get a smaller part of the step, so that the gap between two words
  // stays small.
  void prompt_budget() {
    const auto answers = static_cast<std::int32_t>(plan_.shares.size());
    const std::int32_t wanted = answers > 0 ? limits_.prompt_rows_beside_answers : limits_.prompt_rows;
    budget_ = std::min(std::max(limits_.step_rows - answers, 1), wanted);
  }

  std::int32_t wanted_rows(const SequenceState& sequence) const {
    const std::int32_t rows = std::min(sequence.pending(), budget_);
    return sequence.row_limit > 0 ? std::min(rows, sequence.row_limit) : rows;
  }

  void prompts() {
    for (std::int32_t i = 0; i < kept_ && budget_ > 0; ++i) {
      const SequenceState& sequence = running(i);
      if (sequence.pending() <= 1) continue;
      const std::int64_t room =
          std::int64_t{sequence.pages + available_} * limits_.page_tokens - sequence.computed;
      const auto rows = static_cast<std::int32_t>(std::min<std::int64_t>(wanted_rows(sequence), room));
      if (rows <= 0) continue;
      available_ -= new_pages(sequence, rows);
      budget_ -= rows;
      plan_.shares.push_back({i, false, rows});
    }
  }

  // Pages that running prompts have still to fill, and one for the next growth of each running sequence:
  // without that reserve a sequence would be admitted only to be preempted a few steps later, its prompt read
  // for nothing.
  std::int32_t promised() const {
    std::int32_t pages = kept_;
    for (std::int32_t i = 0; i < kept_; ++i) {
      if (running(i).pending() > 1) pages += new_pages(running(i), running(i).pending());
    }
    for (const StepPlan::Share& share : plan_.shares) {
      if (running(share.index).pending() > 1) pages -= new_pages(running(share.index), share.rows);
    }
    return pages;
  }

  void admissions() {
    std::int32_t reserved = promised();
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(state_.waiting.size()) && budget_ > 0; ++i) {
      const SequenceState& sequence = state_.waiting[static_cast<std::size_t>(i)];
      if (kept_ >= limits_.parallel) return;
      const std::int32_t needed = new_pages(sequence, sequence.pending() + 1) + sequence.idle_pages;
      if (needed + reserved > available_) return;
      const std::int32_t rows = wanted_rows(sequence);
      const std::int32_t taken = new_pages(sequence, rows) + sequence.idle_pages;
      available_ -= taken;
      reserved += new_pages(sequence, sequence.pending()) - new_pages(sequence, rows) + 1;
      budget_ -= rows;
      ++kept_;
      plan_.shares.push_back({i, true, rows});
    }
  }

  const SchedulerState& state_;
  const SchedulerLimits& limits_;
  StepPlan plan_;
  std::int32_t available_ = 0;
  std::int32_t kept_ = 0;    // running sequences not preempted, and those admitted: always the oldest ones
  std::int32_t budget_ = 0;  // rows left for prompts
};

}  // namespace

StepPlan plan_step(const SchedulerState& state, const SchedulerLimits& limits) {
  return Planner(state, limits).plan();
}

}  // namespace pensieve::engine
