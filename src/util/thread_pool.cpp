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

ThreadPool::ThreadPool(int workers)
    : workers_(workers),
      spins_(workers <= processors()),
      shares_(static_cast<std::size_t>(workers)),
      progress_(static_cast<std::size_t>(workers)) {}

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

template <class Ready>
void ThreadPool::spin_and_sleep(const std::atomic<std::uint32_t>& word, Ready ready) const {
  if (spins_) {
    const auto end = std::chrono::steady_clock::now() + kSpinTime;
    do {
      for (int i = 0; i < kPausesBetweenLooks; ++i) {
        if (ready(word.load(std::memory_order_acquire))) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
  }
  for (std::uint32_t seen = word.load(std::memory_order_acquire); !ready(seen);
       seen = word.load(std::memory_order_acquire))
    word.wait(seen, std::memory_order_acquire);
}

void ThreadPool::await(const std::atomic<std::uint32_t>& word, std::uint32_t old) const {
  spin_and_sleep(word, [old](std::uint32_t seen) { return seen != old; });
}

// The word only grows, modulo 2^32, and never runs half of that ahead.
void ThreadPool::await_target(const std::atomic<std::uint32_t>& word, std::uint32_t target) const {
  spin_and_sleep(word,
                 [target](std::uint32_t seen) { return static_cast<std::int32_t>(seen - target) >= 0; });
}

// A stage that is over has no piece left, so whoever comes late finds none: either the place still shows all
// of them taken, or a later stage.
bool ThreadPool::claim(Share& share, std::uint64_t stage, int pieces, int& piece) {
  constexpr int kCountBits = 21;
  std::uint64_t seen = share.taken.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t seen_stage = seen >> kCountBits;
    piece = seen_stage == stage ? static_cast<int>(seen & ((1U << kCountBits) - 1)) : 0;
    if (seen_stage > stage || piece >= pieces) return false;
    const std::uint64_t next = stage << kCountBits | static_cast<std::uint64_t>(piece + 1);
    if (share.taken.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return true;
  }
}

void ThreadPool::finish(int done, std::uint32_t target) {
  const auto more = static_cast<std::uint32_t>(done);
  if (done > 0 && done_.fetch_add(more, std::memory_order_acq_rel) + more == target) {
    done_.notify_all();
    return;
  }
  await_target(done_, target);
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
