// ThreadPool's waiting: spin briefly (a wake-up by the kernel costs tens of microseconds), then sleep
// (spinning against a preempted worker would burn the very processor it needs).
#include "util/thread_pool.h"

#include <fmt/format.h>

#include <chrono>
#include <system_error>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pensieve::util {
namespace {

constexpr auto kSpinTime = std::chrono::microseconds(40);
constexpr int kPausesBetweenLooks = 64;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

ThreadPool::ThreadPool(int workers) : workers_(workers), spins_(workers <= processors()) {}

Result<std::unique_ptr<ThreadPool>> ThreadPool::open(int workers) {
  if (workers < 1)
    return fail(Error::Code::invalid, fmt::format("{} threads asked for; at least 1 is needed", workers));
  std::unique_ptr<ThreadPool> pool(new ThreadPool(workers));
  try {
    pool->threads_.reserve(static_cast<std::size_t>(workers - 1));
    for (int worker = 1; worker < workers; ++worker)
      pool->threads_.emplace_back([raw = pool.get(), worker] { raw->serve(worker); });
  } catch (const std::system_error& error) {
    return fail(Error::Code::exhausted,
                fmt::format("cannot start {} threads: {}; use fewer", workers, error.what()));
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  runs_.fetch_add(1, std::memory_order_release);
  runs_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::await(const std::atomic<std::uint32_t>& word, std::uint32_t old) const {
  if (spins_) {
    const auto end = std::chrono::steady_clock::now() + kSpinTime;
    do {
      for (int i = 0; i < kPausesBetweenLooks; ++i) {
        if (word.load(std::memory_order_acquire) != old) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
  }
  while (word.load(std::memory_order_acquire) == old) word.wait(old, std::memory_order_acquire);
}

void ThreadPool::start(Work work, void* context) {
  work_ = work;
  context_ = context;
  runs_.fetch_add(1, std::memory_order_release);
  runs_.notify_all();
}

void ThreadPool::join() {
  work_(context_, 0);
  barrier();
}

void ThreadPool::serve(int worker) {
  for (std::uint32_t run = 0;; ++run) {
    await(runs_, run);
    if (stopping_) return;
    work_(context_, worker);
    barrier();
  }
}

void ThreadPool::barrier() {
  if (workers_ == 1) return;
  const std::uint32_t passed = barriers_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(workers_)) {
    arrived_.store(0, std::memory_order_relaxed);
    barriers_.store(passed + 1, std::memory_order_release);
    barriers_.notify_all();
    return;
  }
  await(barriers_, passed);
}

}  // namespace pensieve::util
