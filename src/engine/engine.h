// Engine: the loop over ragged batches, one step at a time: schedule, build, run, sample, emit. It knows no
// thread and no clock of its own, so that tests drive it step by step. Not the public face: runner.h gives it
// a thread. Thread rule: one thread; only Counters may be read from others.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/backend.h"
#include "core/graph.h"
#include "core/tokenizer.h"
#include "engine/batch_builder.h"
#include "engine/counters.h"
#include "engine/logprobs.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "engine/pace.h"
#include "engine/page_store.h"
#include "engine/runner.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/state_slots.h"

namespace pensieve::engine {

// What a request is told that an exception ended.
Error error_of(const std::exception& problem);

using Clock = std::function<double()>;  // milliseconds, never going back

class Engine {
 public:
  // `graph`, `tokenizer` and `counters` must outlive the engine.
  Engine(const Graph& graph, const Tokenizer& tokenizer, const DeviceInfo& device, std::unique_ptr<Plan> plan,
         const Capacity& capacity, const Options& options, Clock clock, Counters& counters);

  void submit(Request request, double at);  // `at`: when it came, on the engine's clock
  void cancel(GenerationId id);             // unknown ids are ignored
  void cancel_all();
  bool idle() const { return running_.empty() && waiting_.empty() && outbox_.empty(); }
  void step();
  // After an exception nothing half-done can be trusted: every request fails with `error`, every page is free
  // and the cache is empty. Never throws.
  void fail_all(const Error& error) noexcept;

  // For tests of the invariants.
  std::span<Sequence* const> running() const { return running_; }
  const PageStore& store() const { return store_; }
  const StateSlots& slots() const { return slots_; }
  const std::unordered_map<GenerationId, std::unique_ptr<Generation>>& generations() const {
    return generations_;
  }
  std::span<const StepShare> last_step() const { return shares_; }

 private:
  struct Candidate {  // a waiting sequence and the state that it could start with
    Sequence* sequence = nullptr;
    std::vector<std::int32_t> pages;
    std::int32_t computed = 0;
    std::int32_t branch = 0;        // tokens that cached pages hold, with recurrent state or without
    std::int32_t copied_page = -1;  // its first page of its own begins as a copy of this one
  };

  // schedule.cpp: from the scheduler's plan to shares_, pages moved
  void schedule();
  StepPlan make_plan();
  void look_at_running();
  void look_at_waiting();
  Candidate candidate_for(Sequence& sequence, SequenceState& state) const;
  std::int32_t row_limit(const Sequence& sequence, std::int32_t computed, std::int32_t branch) const;
  bool reuses_cache(const Sequence& sequence) const;
  bool publishes(const Sequence& sequence) const;
  void admit(const Candidate& candidate);
  bool grow(Sequence& sequence, std::int32_t rows);
  void preempt(Sequence& sequence);
  bool drop_forks();
  void count_cached(const Sequence& sequence, std::int32_t reached);

  // recurrence.cpp: slots of recurrent state
  void trim_to_checkpoint(CachedPrefix& prefix, std::int32_t& branch) const;
  std::int32_t next_stop(const Sequence& sequence, std::int32_t computed, std::int32_t branch) const;
  bool lost_checkpoint(const Candidate& candidate) const;
  void enter_slot(Sequence& sequence, std::int32_t branch);
  void keep_state(Sequence& sequence);
  void leave_slot(Sequence& sequence);

  // engine.cpp: one step on the device
  Result<StepOutput> run(const Batch& batch);
  Result<StepOutput> compute(const Batch& batch);
  Result<> copy_states();
  void prepare_masks();
  void read(const StepOutput& output);
  void settle(const StepShare& share);
  void read_row(const OutputRow& row, std::size_t index, const StepOutput& output);
  void prompt_is_read(Sequence& sequence);
  Result<std::int32_t> next_token(const Sequence& sequence, std::size_t index, const StepOutput& output);
  void append(Sequence& sequence, std::int32_t token, std::optional<TokenLogprob> logprob);
  void deliver();

  // requests.cpp: from submission to the last event
  Result<> check(const Request& request) const;
  void enqueue(Request request, double at);
  void refuse(ReplySink* sink, const Error& error) noexcept;
  void announce(Sequence& sequence);
  void show(Sequence& sequence);
  void finish(Sequence& sequence, FinishReason reason);
  void leave(Sequence& sequence);
  void fail_generation(Generation& generation, const Error& error);
  void end(Generation& generation);
  void fail_step(const Error& error);
  void update_gauges();

  const Tokenizer& tokenizer_;
  Counters& counters_;
  Clock clock_;
  std::unique_ptr<Plan> plan_;
  std::int64_t vocabulary_, context_, queue_limit_;
  std::uint32_t state_groups_, slot_group_;
  bool device_draws_, prefix_cache_;
  std::int32_t step_rows_;
  SchedulerLimits limits_;  // of the next step: the pace sets its rows
  std::vector<std::int32_t> end_tokens_;

  PageStore store_;
  StateSlots slots_;
  BatchBuilder builder_;
  Pace pace_;
  Sampler sampler_;
  LogprobReader logprobs_;
  Outbox outbox_;

  std::unordered_map<GenerationId, std::unique_ptr<Generation>> generations_;
  std::vector<Sequence*> running_;      // oldest first
  std::set<Sequence*, ByAge> waiting_;  // preempted ones too; blocked ones are in neither
  std::uint64_t arrivals_ = 0;
  std::int64_t queued_ = 0;  // requests that have not started

  double now_ = 0;
  std::vector<SequenceState> running_states_, waiting_states_;
  std::vector<Candidate> candidates_;
  std::vector<StepShare> shares_;  // of the step that runs
  std::vector<StateCopy> copies_;  // before it
  std::vector<StateCopy> saves_;   // states kept after the step before, to be copied before these
};

}  // namespace pensieve::engine
