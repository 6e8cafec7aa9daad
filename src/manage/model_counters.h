// ModelCounters: what a model did since the program started, over all its loads: the engine's counters, how
// generations ended, and how long tokens took. Written by the pool's leases for every transport alike; read
// by the exporters. Not an exporter: names and formats are theirs.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/inference.h"

namespace pensieve::manage {

struct HistogramReading {
  std::vector<double> bounds;         // seconds; upper bounds, inclusive, without the last one (infinity)
  std::vector<std::uint64_t> counts;  // one more than bounds; each bucket alone, not cumulative
  double sum = 0;                     // seconds
};

// Thread rule: any thread; a reading may miss what is added meanwhile.
class LatencyHistogram {
 public:
  static constexpr std::size_t kMostBounds = 24;
  // `bounds`: rising, at most kMostBounds; must outlive the histogram.
  explicit LatencyHistogram(std::span<const double> bounds) : bounds_(bounds) {}
  void add(std::chrono::nanoseconds time, std::uint64_t times = 1);
  HistogramReading read() const;

 private:
  std::span<const double> bounds_;
  std::array<std::atomic<std::uint64_t>, kMostBounds + 1> counts_{};
  std::atomic<std::uint64_t> nanoseconds_{0};
};

constexpr std::size_t kFinishReasons = 4;  // as FinishReason

struct CountersReading {
  InferenceStats stats;  // counters over all loads, gauges of now
  std::array<std::uint64_t, kFinishReasons> finished{};
  std::uint64_t failed = 0;  // generations that ended with an error
  std::uint64_t loads = 0;
  std::uint64_t crashes = 0;   // its process ended unexpectedly, while loading too
  std::uint64_t restarts = 0;  // loads after a crash
  HistogramReading first_token, inter_token, whole, queue;
};

// Thread rule: any thread.
class ModelCounters {
 public:
  // Wraps the sink of a generation that is about to be submitted with `choices` choices. The counters are
  // held by the wrapper: they may outlive the pool.
  static std::unique_ptr<ReplySink> observe(std::shared_ptr<ModelCounters> counters,
                                            std::unique_ptr<ReplySink> sink);

  void count_load() { loads_.fetch_add(1, std::memory_order_relaxed); }
  void count_crash() { crashes_.fetch_add(1, std::memory_order_relaxed); }
  void count_restart() { restarts_.fetch_add(1, std::memory_order_relaxed); }
  // The counters of a load that ended.
  void retire(const InferenceStats& stats);
  // `live`: of the model as loaded now; nothing when it is not.
  CountersReading read(const InferenceStats& live) const;

 private:
  friend class ObservedSink;
  void end(FinishReason reason);

  mutable std::mutex mutex_;
  InferenceStats retired_;  // guarded by mutex_
  std::array<std::atomic<std::uint64_t>, kFinishReasons> finished_{};
  std::atomic<std::uint64_t> failed_{0}, loads_{0}, crashes_{0}, restarts_{0};
  static constexpr std::array kFirstTokenBounds{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08,
                                                0.1,   0.25,  0.5,  0.75, 1.0,  2.5,  5.0,
                                                7.5,   10.0,  20.0, 40.0, 80.0, 160.0};
  static constexpr std::array kInterTokenBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                0.015,  0.02,    0.025,  0.03,  0.04,   0.05,  0.075,
                                                0.1,    0.2,     0.3,    0.4,   0.5,    1.0,   2.5};
  static constexpr std::array kWholeBounds{0.01, 0.05, 0.1,   0.3,   0.5,   0.8,  1.0,  1.5,
                                           2.0,  2.5,  5.0,   10.0,  15.0,  20.0, 30.0, 40.0,
                                           50.0, 60.0, 120.0, 240.0, 480.0, 960.0};
  LatencyHistogram first_token_{kFirstTokenBounds}, inter_token_{kInterTokenBounds}, whole_{kWholeBounds},
      queue_{kFirstTokenBounds};
};

}  // namespace pensieve::manage
