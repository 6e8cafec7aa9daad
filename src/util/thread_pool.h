// ThreadPool: a fixed team of threads that run one function together, the caller among them, with a barrier
// for its stages. Not a task queue: work is divided by the function itself, by worker number.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "util/result.h"

namespace pensieve::util {

// Thread rule: one thread at a time calls start and join; start and join alternate.
// Waiting threads spin for a few microseconds, then sleep in the kernel; between two runs the workers sleep.
class ThreadPool {
 public:
  using Work = void (*)(void* context, int worker);

  // `workers` threads compute: workers - 1 of the pool's own and the one that calls join.
  static Result<std::unique_ptr<ThreadPool>> open(int workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int workers() const { return workers_; }
  // Lets the pool's threads begin work(context, 1 .. workers - 1) and returns at once.
  void start(Work work, void* context);
  // Runs work(context, 0) on the calling thread and returns when every worker is done.
  void join();
  // Within work: returns when all workers have called it; what each wrote before is visible to all after.
  void barrier();

 private:
  explicit ThreadPool(int workers);
  void serve(int worker);
  // Returns when `word` no longer holds `old`.
  void await(const std::atomic<std::uint32_t>& word, std::uint32_t old) const;

  const int workers_;
  const bool spins_;  // before sleeping: not when there are more workers than processors
  Work work_ = nullptr;
  void* context_ = nullptr;
  bool stopping_ = false;
  alignas(64) std::atomic<std::uint32_t> runs_{0};      // start advances it
  alignas(64) std::atomic<std::uint32_t> arrived_{0};   // workers that reached the current barrier
  alignas(64) std::atomic<std::uint32_t> barriers_{0};  // barriers passed
  std::vector<std::thread> threads_;
};

}  // namespace pensieve::util
