// The engine on its thread: many threads submit and cancel at once, every request ends exactly once, and the
// last events arrive before the runner is gone. Runs under ThreadSanitizer too.
#include "engine/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "engine/world_for_test.h"

namespace pensieve::engine {
namespace {

using testing::ByteTokenizer;
using testing::PagedPlan;
using testing::Record;
using testing::solo_answer;

// Records under a lock and tells when it is destroyed, after the last event.
class LockedSink final : public ReplySink {
 public:
  struct State {
    std::mutex mutex;
    Record record;
    std::promise<void> over;
  };
  explicit LockedSink(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~LockedSink() override { state_->over.set_value(); }
  void on_event(ReplyEvent event) override {
    const std::lock_guard lock(state_->mutex);
    state_->record.take(event);
  }

 private:
  std::shared_ptr<State> state_;
};

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() {
    graph_.vocabulary = ByteTokenizer::kVocabulary;
    graph_.state_groups = 1;
    const Options options{.parallel = 4, .queue = 1000, .step_rows = 16};
    runner_ = Runner::start(graph_, tokenizer_, DeviceInfo{}, std::make_unique<PagedPlan>(40, 4),
                            {{.page_tokens = 4, .page_count = 40}, 64}, options);
  }
  static Request request(GenerationId id, const std::string& prompt) {
    Request made;
    made.id = id;
    for (const char byte : prompt) made.prompt.push_back(static_cast<unsigned char>(byte));
    made.sampling.seed = id;
    made.max_tokens = 20;
    made.ignore_eos = true;
    return made;
  }
  std::shared_ptr<LockedSink::State> submit(Request made) {
    auto state = std::make_shared<LockedSink::State>();
    made.sink = std::make_unique<LockedSink>(state);
    runner_->submit(std::move(made));
    return state;
  }

  Graph graph_;
  ByteTokenizer tokenizer_;
  std::unique_ptr<Runner> runner_;
};

TEST_F(RunnerTest, AnswersOneRequest) {
  const auto wanted = solo_answer(request(1, "hello"), 0, 1, 64);
  auto state = submit(request(1, "hello"));
  state->over.get_future().wait();
  EXPECT_EQ(state->record.only().text, wanted.text);
  EXPECT_EQ(runner_->context(), 64);
}

TEST_F(RunnerTest, ManyThreadsSubmitAndCancel) {
  constexpr int kThreads = 6, kRequests = 40;
  std::vector<std::thread> threads;
  std::vector<std::vector<std::shared_ptr<LockedSink::State>>> states(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread, &states] {
      for (int i = 0; i < kRequests; ++i) {
        const auto id = static_cast<GenerationId>(thread * 1000 + i + 1);
        states[static_cast<std::size_t>(thread)].push_back(
            submit(request(id, "prompt of thread " + std::to_string(thread))));
        if (i % 3 == 0) runner_->cancel(id);
        (void)runner_->stats();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int thread = 0; thread < kThreads; ++thread) {
    for (int i = 0; i < kRequests; ++i) {
      auto& state = *states[static_cast<std::size_t>(thread)][static_cast<std::size_t>(i)];
      state.over.get_future().wait();
      EXPECT_THAT(state.record.problems, ::testing::IsEmpty());
      ASSERT_EQ(state.record.only().finished, 1);
      if (i % 3 == 0) continue;
      const auto id = static_cast<GenerationId>(thread * 1000 + i + 1);
      EXPECT_EQ(state.record.only().text,
                solo_answer(request(id, "prompt of thread " + std::to_string(thread)), 0, id, 64).text);
    }
  }
  runner_.reset();
}

TEST_F(RunnerTest, StopsWithEveryRequestTold) {
  std::vector<std::shared_ptr<LockedSink::State>> states;
  for (GenerationId id = 1; id <= 50; ++id) {
    Request made = request(id, "never to be finished");
    made.max_tokens = -1;
    states.push_back(submit(std::move(made)));
  }
  runner_.reset();
  for (const auto& state : states) {
    ASSERT_EQ(state->over.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
    EXPECT_EQ(state->record.only().finished, 1);
  }
}

TEST_F(RunnerTest, AnExceptionEndsTheRequestsInHandAndNothingElse) {
  tokenizer_.short_of_memory = true;
  auto failed = submit(request(1, "hello"));
  failed->over.get_future().wait();
  ASSERT_EQ(failed->record.failures.size(), 1U);
  EXPECT_EQ(failed->record.failures[0].code, Error::Code::exhausted);
  tokenizer_.short_of_memory = false;
  auto next = submit(request(2, "hello"));
  next->over.get_future().wait();
  EXPECT_EQ(next->record.only().text, solo_answer(request(2, "hello"), 0, 2, 64).text);
  EXPECT_EQ(runner_->stats().failed, 1U);
}

TEST_F(RunnerTest, StatsAreThereFromTheStart) {
  EXPECT_EQ(runner_->stats().pages_total, 40);
  EXPECT_EQ(runner_->stats().running, 0);
  EXPECT_GT(runner_->stats().memory_bytes, 0U);
}

}  // namespace
}  // namespace pensieve::engine
