// Tenancy: one stay of a model in memory: who uses it now and when the last use ended; and Graveyard, where
// models end. Not the pool: which model stays or goes is decided there.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/inference.h"
#include "manage/model_counters.h"

namespace pensieve::manage {

// Models whose tenancy ended. A model must not be destroyed on a thread of its own (it joins them), and the
// last pointer may well be held by an event sink; so they are destroyed here, by whoever sweeps.
// Thread rule: any thread but a model's own may sweep and close.
class Graveyard {
 public:
  void expect() { alive_.fetch_add(1); }  // a model that will be buried
  void bury(std::unique_ptr<Inference> dead);
  void sweep();  // destroys the dead; when it returns their memory is given back
  bool waiting() const;
  // Waits a moment for models still in use, then destroys the dead. Later ones are left to the end of the
  // program.
  void close();

 private:
  // Held while models are destroyed: who sweeps next knows that all the earlier ones are gone. Never held
  // while burying: a dying model's threads may bury another.
  std::mutex sweeping_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::unique_ptr<Inference>> dead_;  // guarded by mutex_
  std::atomic<std::size_t> alive_{0};
  bool closed_ = false;  // guarded by mutex_
};

// Thread rule: any thread.
class Tenancy {
 public:
  using Clock = std::chrono::steady_clock;

  Tenancy(std::unique_ptr<Inference> model, std::shared_ptr<ModelCounters> counters,
          std::shared_ptr<Graveyard> graveyard);
  Tenancy(const Tenancy&) = delete;
  Tenancy& operator=(const Tenancy&) = delete;
  ~Tenancy();  // retires the counters and buries the model

  // What the users of the model hold. Measures their generations on the way.
  static std::shared_ptr<Inference> lease(const std::shared_ptr<Tenancy>& tenancy);

  Inference& model() const { return *model_; }
  std::int32_t users() const { return users_.load(std::memory_order_acquire); }
  bool used() const { return used_.load(std::memory_order_acquire) != 0; }
  // When a use last began or ended; the load's end when there was none.
  Clock::time_point last_use() const;

 private:
  friend class Lease;
  void enter();
  void leave();

  std::unique_ptr<Inference> model_;
  const std::shared_ptr<ModelCounters> counters_;
  const std::shared_ptr<Graveyard> graveyard_;
  const Clock::time_point begun_ = Clock::now();
  std::atomic<std::int32_t> users_{0};
  std::atomic<Clock::rep> used_{0};
};

}  // namespace pensieve::manage
