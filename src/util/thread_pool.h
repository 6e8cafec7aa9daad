// ThreadPool: a fixed team of threads that run one function together, the caller among them, in stages whose
// pieces any of them may take. Not a task queue: every worker walks through the same stages.
//
// Why pieces and not a share for each: where other programs want the processors too, a worker may not run for
// milliseconds, many times longer than a stage. The others take its pieces and go on; it is missed only where
// it holds a piece, and at the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "util/result.h"

namespace pensieve::util {

// Thread rule: one thread at a time calls start and join; start and join alternate.
// A piece is computed the same whoever takes it, so results do not depend on who did.
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
  // A stage costs less: it does not need everybody.
  void barrier();
  // Within work, by every worker with the same number, at most kMostPieces: take(piece) runs once for each
  // piece in [0, pieces), on any worker, and all are done when it returns; what they wrote is visible. Each
  // worker begins with the pieces around its own place and then helps the next.
  template <class Take>
  void stage(int worker, int pieces, Take&& take);
  static constexpr int kMostPieces = 1 << 20;

 private:
  // The pieces of one worker's place: the stage in which they are taken, and how many are gone.
  struct alignas(64) Share {
    std::atomic<std::uint64_t> taken{0};
  };
  // How far a worker is; only it looks.
  struct alignas(64) Progress {
    std::uint64_t stage = 0;
    std::uint32_t target = 0;  // pieces of all stages up to this one
  };
  static bool claim(Share& share, std::uint64_t stage, int pieces, int& piece);
  void finish(int done, std::uint32_t target);
  explicit ThreadPool(int workers);
  void serve(int worker);
  // Returns when `word` no longer holds `old`, or when it has reached `target`.
  void await(const std::atomic<std::uint32_t>& word, std::uint32_t old) const;
  void await_target(const std::atomic<std::uint32_t>& word, std::uint32_t target) const;
  template <class Ready>
  void spin_and_sleep(const std::atomic<std::uint32_t>& word, Ready ready) const;

  const int workers_;
  const bool spins_;  // before sleeping: not when there are more workers than processors
  Work work_ = nullptr;
  void* context_ = nullptr;
  bool stopping_ = false;
  alignas(64) std::atomic<std::uint32_t> runs_{0};      // start advances it
  alignas(64) std::atomic<std::uint32_t> arrived_{0};   // workers that reached the current barrier
  alignas(64) std::atomic<std::uint32_t> barriers_{0};  // barriers passed
  alignas(64) std::atomic<std::uint32_t> done_{0};      // pieces of all stages so far; wraps around
  std::vector<Share> shares_;                           // [workers]
  std::vector<Progress> progress_;                      // [workers]
  std::vector<std::thread> threads_;
};

template <class Take>
void ThreadPool::stage(int worker, int pieces, Take&& take) {
  if (workers_ == 1) {
    for (int piece = 0; piece < pieces; ++piece) take(piece);
    return;
  }
  Progress& own = progress_[static_cast<std::size_t>(worker)];
  ++own.stage;
  own.target += static_cast<std::uint32_t>(pieces);
  const auto first_of = [&](int place) { return static_cast<int>(std::int64_t{pieces} * place / workers_); };
  int done = 0;
  for (int distance = 0; distance < workers_; ++distance) {
    const int place = worker + distance < workers_ ? worker + distance : worker + distance - workers_;
    const int first = first_of(place), count = first_of(place + 1) - first;
    for (int piece = 0; claim(shares_[static_cast<std::size_t>(place)], own.stage, count, piece); ++done)
      take(first + piece);
  }
  finish(done, own.target);
}

}  // namespace pensieve::util
