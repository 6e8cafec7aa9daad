// Scheduler: which sequences get how many rows in the next step: a pure function from a state to a plan. No
// clock, thread, device or lock. Not for doing it: engine.cpp moves the pages.
//
// Policy: sequences with one token to compute (answers, and prompts nearly all cached) come first, one row
// each, every step. What is left of the step goes to prompts, oldest first. Nobody overtakes in the queue. A
// sequence is admitted when the pages for all its tokens and one more are available beside what those already
// admitted still need. When pages run out all the same (answers grow), the youngest is preempted: it gives
// its pages back and is read again later.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pensieve::engine {

// A sequence as the scheduler sees it. For one that waits, `computed`, `pages` and `idle_pages` are what it
// would start with: state found in the cache or shared by the choice that has read the prompt.
struct SequenceState {
  std::int32_t length = 0;      // tokens known
  std::int32_t computed = 0;    // those whose state is kept; at least one is left to compute
  std::int32_t pages = 0;       // pages held
  std::int32_t row_limit = 0;   // most rows of it in one step; 0: no limit of its own
  std::int32_t own_pages = 0;   // running: pages that become available when it is preempted
  std::int32_t idle_pages = 0;  // waiting: those of `pages` that are counted as available now
  std::int32_t pending() const { return length - computed; }
};

struct SchedulerState {
  std::span<const SequenceState> running;  // oldest first
  std::span<const SequenceState> waiting;  // first come first; a preempted one stands where its age puts it
  std::int32_t available_pages = 0;        // free or evictable
};

struct SchedulerLimits {
  std::int32_t page_tokens = 32;
  std::int32_t step_rows = 512;    // in all
  std::int32_t prompt_rows = 512;  // of prompts, while no answers are written
  std::int32_t prompt_rows_beside_answers = 64;
  std::int32_t parallel = 16;  // sequences that run at once
};

struct StepPlan {
  struct Share {
    std::int32_t index = 0;  // in running or waiting
    bool admitted = false;   // from waiting
    std::int32_t rows = 0;
  };
  std::vector<Share> shares;            // single rows first, then prompts
  std::vector<std::int32_t> preempted;  // indices in running, youngest first
};

// Rows never exceed max(step_rows, sequences that run): single rows are never put off.
StepPlan plan_step(const SchedulerState& state, const SchedulerLimits& limits);

}  // namespace pensieve::engine
