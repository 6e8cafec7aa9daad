// ThreadPool: every worker takes part once, barriers separate stages, and rapid starts lose nothing.
#include "util/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace pensieve::util {
namespace {

struct Stages {
  ThreadPool* pool;
  std::vector<int> values;  // one for each worker
  std::vector<int> sums;    // of all values, as each worker saw them after the barrier
  int rounds;
};

void run_stages(void* context, int worker) {
  auto& stages = *static_cast<Stages*>(context);
  const auto own = static_cast<std::size_t>(worker);
  for (int round = 0; round < stages.rounds; ++round) {
    stages.values[own] = round * 10 + worker;
    stages.pool->barrier();
    int sum = 0;
    for (const int value : stages.values) sum += value;
    stages.sums[own] += sum;
    stages.pool->barrier();
  }
}

TEST(ThreadPool, EveryWorkerSeesWhatAllWroteBeforeTheBarrier) {
  for (const int workers : {1, 2, 3, 5}) {
    auto pool = ThreadPool::open(workers);
    ASSERT_TRUE(pool.has_value());
    EXPECT_EQ((*pool)->workers(), workers);
    const auto count = static_cast<std::size_t>(workers);
    Stages stages{pool->get(), std::vector<int>(count), std::vector<int>(count), 200};
    (*pool)->start(&run_stages, &stages);
    (*pool)->join();
    int expected = 0;
    for (int round = 0; round < stages.rounds; ++round) {
      for (int worker = 0; worker < workers; ++worker) expected += round * 10 + worker;
    }
    for (const int sum : stages.sums) EXPECT_EQ(sum, expected) << workers << " workers";
  }
}

struct Pieces {
  ThreadPool* pool;
  std::vector<int> values;
  std::vector<int> taken_by;  // workers that took a piece, counted
  int rounds;
  bool lame;  // the last worker comes to each stage long after the others
};

void run_pieces(void* context, int worker) {
  auto& work = *static_cast<Pieces*>(context);
  const auto count = static_cast<int>(work.values.size());
  const bool late = work.lame && worker + 1 == work.pool->workers();
  for (int round = 0; round < work.rounds; ++round) {
    if (late && round % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    // Each piece reads what its neighbour was in the stage before, and the second stage writes it.
    std::vector<int> before = work.values;
    work.pool->stage(worker, 0, [](int) {});
    work.pool->stage(worker, count, [&](int piece) {
      const auto at = static_cast<std::size_t>(piece);
      work.taken_by[at] = work.taken_by[at] + 1;
    });
    work.pool->barrier();
    work.pool->stage(worker, count, [&](int piece) {
      const auto at = static_cast<std::size_t>(piece);
      work.values[at] = before[(at + 1) % before.size()] + 1;
    });
  }
}

TEST(ThreadPool, EveryPieceIsTakenOnceAndStagesFollowOneAnother) {
  for (const int workers : {1, 2, 3, 5}) {
    for (const bool lame : {false, true}) {
      auto pool = ThreadPool::open(workers);
      ASSERT_TRUE(pool.has_value());
      Pieces work{pool->get(), {1, 2, 3, 4, 5, 6, 7}, std::vector<int>(7), 50, lame};
      for (int run = 0; run < 2; ++run) {
        (*pool)->start(&run_pieces, &work);
        (*pool)->join();
      }
      EXPECT_EQ(work.taken_by, std::vector<int>(7, 100)) << workers << " workers";
      std::vector<int> expected{1, 2, 3, 4, 5, 6, 7};
      for (int round = 0; round < 100; ++round) {
        std::rotate(expected.begin(), expected.begin() + 1, expected.end());
        for (int& value : expected) ++value;
      }
      EXPECT_EQ(work.values, expected) << workers << " workers";
    }
  }
}

// What the stages are for: a worker that does not come is not waited for.
TEST(ThreadPool, StagesGoOnWithoutAWorkerThatDoesNotRun) {
  auto pool = ThreadPool::open(2);
  ASSERT_TRUE(pool.has_value());
  struct Work {
    ThreadPool* pool;
    std::atomic<bool> all_done{false};
    int count = 0;
  } work{pool->get()};
  (*pool)->start(
      [](void* context, int worker) {
        auto& own = *static_cast<Work*>(context);
        if (worker == 1) own.all_done.wait(false);  // held up until the other has done everything
        for (int stage = 0; stage < 100; ++stage) own.pool->stage(worker, 10, [&own](int) { ++own.count; });
        own.all_done = true;
        own.all_done.notify_all();
      },
      &work);
  (*pool)->join();
  EXPECT_EQ(work.count, 1000);
}

TEST(ThreadPool, ManyShortRunsEachRunOnce) {
  auto pool = ThreadPool::open(3);
  ASSERT_TRUE(pool.has_value());
  std::vector<int> counts(3);
  for (int run = 0; run < 2000; ++run) {
    (*pool)->start(
        [](void* context, int worker) {
          ++(*static_cast<std::vector<int>*>(context))[static_cast<std::size_t>(worker)];
        },
        &counts);
    (*pool)->join();
  }
  EXPECT_EQ(counts, (std::vector<int>{2000, 2000, 2000}));
}

TEST(ThreadPool, RefusesToHaveNoWorkers) {
  const auto pool = ThreadPool::open(0);
  ASSERT_FALSE(pool.has_value());
  EXPECT_EQ(pool.error().code, Error::Code::invalid);
}

}  // namespace
}  // namespace pensieve::util
