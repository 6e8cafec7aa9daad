// ThreadPool: every worker takes part once, barriers separate stages, and rapid starts lose nothing.
#include "util/thread_pool.h"

#include <gtest/gtest.h>

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
