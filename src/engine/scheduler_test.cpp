// The scheduler as tables: a state in, a plan out.
#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace pensieve::engine {
namespace {

SequenceState sequence(std::int32_t length, std::int32_t computed, std::int32_t page_tokens = 4) {
  const std::int32_t pages = (computed + page_tokens - 1) / page_tokens;
  return {.length = length, .computed = computed, .pages = pages, .own_pages = pages};
}

// "r0:1 r2:30 w0:5 -3": rows of running and waiting sequences, and preempted ones.
std::string text(const StepPlan& plan) {
  std::string out;
  for (const auto& share : plan.shares)
    out +=
        (share.admitted ? "w" : "r") + std::to_string(share.index) + ":" + std::to_string(share.rows) + " ";
  for (const std::int32_t index : plan.preempted) out += "-" + std::to_string(index) + " ";
  if (!out.empty()) out.pop_back();
  return out;
}

struct Case {
  std::string name;
  std::vector<SequenceState> running, waiting;
  std::int32_t available;
  std::string wanted;
  SchedulerLimits limits{.page_tokens = 4, .step_rows = 32, .prompt_rows_beside_answers = 8, .parallel = 4};
};

const SchedulerLimits kNarrow{
    .page_tokens = 4, .step_rows = 2, .prompt_rows_beside_answers = 8, .parallel = 4};

std::vector<Case> cases() {
  const SequenceState limited{.length = 20, .row_limit = 6};
  const SequenceState cached{.length = 20, .computed = 16, .pages = 4, .idle_pages = 4};
  return {
      {"nothing to do", {}, {}, 10, ""},
      {"one prompt", {}, {sequence(20, 0)}, 10, "w0:20"},
      {"a long prompt is read in pieces", {}, {sequence(100, 0)}, 100, "w0:32"},
      {"and goes on", {sequence(100, 32)}, {}, 100, "r0:32"},
      {"single rows come before prompts", {sequence(50, 8), sequence(9, 8)}, {}, 20, "r1:1 r0:8"},
      {"prompts share what is left, oldest first", {sequence(20, 0), sequence(30, 0)}, {}, 20, "r0:20 r1:12"},
      {"beside answers prompts get less",
       {sequence(5, 4), sequence(50, 0)},
       {sequence(9, 0)},
       50,
       "r0:1 r1:8"},
      {"the rest of the step admits",
       {sequence(10, 0)},
       {sequence(9, 0), sequence(30, 0)},
       50,
       "r0:10 w0:9 w1:13"},
      {"parallel bounds admission",
       {sequence(5, 4), sequence(6, 5), sequence(7, 6)},
       {sequence(2, 0), sequence(2, 0)},
       50,
       "r0:1 r1:1 r2:1 w0:2"},
      {"single rows are never put off",
       {sequence(5, 4), sequence(6, 5), sequence(7, 6), sequence(8, 7)},
       {},
       9,
       "r0:1 r1:1 r2:1 r3:1",
       kNarrow},
      {"a prompt gets at least a row",
       {sequence(5, 4), sequence(6, 5), sequence(7, 0)},
       {},
       9,
       "r0:1 r1:1 r2:1",
       kNarrow},
      {"nobody overtakes one that does not fit",
       {sequence(5, 4)},
       {sequence(40, 0), sequence(2, 0)},
       8,
       "r0:1"},
      {"pages for all tokens and one more", {}, {sequence(20, 0)}, 6, "w0:20"},
      {"one page less is too little", {}, {sequence(20, 0)}, 5, ""},
      {"running prompts' pages are promised", {sequence(40, 4)}, {sequence(4, 0)}, 11, "r0:32"},
      {"enough for both", {sequence(40, 36)}, {sequence(4, 0)}, 4, "r0:4 w0:4"},
      {"a row limit of its own", {limited}, {limited}, 20, "r0:6 w0:6"},
      {"cached pages that are idle are no longer available", {}, {cached}, 6, "w0:4"},
      {"and so may be too few", {}, {cached}, 5, ""},
      {"no page: the youngest goes", {sequence(9, 8), sequence(6, 5), sequence(7, 6)}, {}, 0, "r0:1 r1:1 -2"},
      {"no page for the youngest itself", {sequence(6, 5), sequence(9, 8)}, {}, 0, "r0:1 -1"},
      {"as many as it takes",
       {sequence(9, 8), sequence(9, 8), sequence(1, 0), sequence(1, 0)},
       {},
       0,
       "r0:1 -3 -2 -1"},
      {"nobody is admitted while others are preempted",
       {sequence(9, 8), sequence(6, 5)},
       {sequence(1, 0)},
       0,
       "r0:1 -1"},
      {"prompts take the pages there are", {sequence(30, 4), sequence(20, 4)}, {}, 2, "r0:8"},
      {"prompts wait while answers go on", {sequence(30, 4), sequence(6, 5)}, {}, 0, "r1:1"},
      {"stuck prompts: the oldest gets on", {sequence(30, 4), sequence(30, 8)}, {}, 0, "r0:8 -1"},
      {"the oldest is never preempted", {sequence(9, 8)}, {}, 0, ""},
  };
}

TEST(Scheduler, Tables) {
  for (const Case& entry : cases()) {
    EXPECT_EQ(text(plan_step({entry.running, entry.waiting, entry.available}, entry.limits)), entry.wanted)
        << entry.name;
  }
}

// Any state: rows and pages stay within limits, writing sequences get their row or are preempted, the queue
// keeps its order.
TEST(Scheduler, AnyStateKeepsTheRules) {
  std::mt19937 random(1);
  const auto below = [&random](std::int32_t bound) {
    return static_cast<std::int32_t>(random() % static_cast<std::uint32_t>(bound));
  };
  for (int round = 0; round < 20000; ++round) {
    const SchedulerLimits limits{.page_tokens = 4,
                                 .step_rows = 1 + below(20),
                                 .prompt_rows_beside_answers = 8,
                                 .parallel = 1 + below(6)};
    std::vector<SequenceState> running, waiting;
    for (std::int32_t n = below(limits.parallel + 1); n > 0; --n) {
      const std::int32_t computed = below(30);
      running.push_back(sequence(computed + 1 + (below(2) == 0 ? 0 : below(20)), computed));
    }
    for (std::int32_t n = below(4); n > 0; --n) waiting.push_back(sequence(1 + below(40), 0));
    const SchedulerState state{running, waiting, below(12)};
    const StepPlan plan = plan_step(state, limits);

    std::int32_t rows = 0, pages = state.available_pages, admitted = 0;
    for (const std::int32_t index : plan.preempted)
      pages += running[static_cast<std::size_t>(index)].own_pages;
    for (const auto& share : plan.shares) {
      const SequenceState& one = (share.admitted ? waiting : running)[static_cast<std::size_t>(share.index)];
      ASSERT_GE(share.rows, 1);
      ASSERT_LE(share.rows, one.pending());
      rows += share.rows;
      pages -= (one.computed + share.rows + 3) / 4 - one.pages;
      if (share.admitted) {
        ASSERT_EQ(share.index, admitted++) << "in the queue's order";
        continue;
      }
      ASSERT_THAT(plan.preempted, ::testing::Not(::testing::Contains(share.index)));
    }
    ASSERT_GE(pages, 0);
    ASSERT_LE(rows, std::max(limits.step_rows, limits.parallel));
    ASSERT_LE(static_cast<std::int32_t>(running.size()) + admitted,
              std::max<std::int32_t>(limits.parallel, static_cast<std::int32_t>(running.size())));
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(running.size()); ++i) {
      if (running[static_cast<std::size_t>(i)].pending() != 1) continue;
      const bool served = std::any_of(plan.shares.begin(), plan.shares.end(),
                                      [i](const auto& share) { return !share.admitted && share.index == i; });
      const bool preempted = std::count(plan.preempted.begin(), plan.preempted.end(), i) > 0;
      ASSERT_TRUE(served || preempted || (i == 0 && state.available_pages == 0));
    }
  }
}

}  // namespace
}  // namespace pensieve::engine
