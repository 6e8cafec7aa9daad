// Workers: starts the worker processes of a server with its options, and not faster than their crashes allow.
// Not a pool: what is loaded, and when, is model_pool.h's matter.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/inference.h"
#include "engine/options.h"
#include "hal/options.h"
#include "manage/load_budget.h"
#include "manage/worker/child_process.h"
#include "manage/worker/options.h"
#include "model/catalog.h"
#include "util/log.h"

namespace pensieve::manage {

// How long to wait before a model whose process died while loading is loaded again: 0.1 s after the first
// death, doubled with each further one in a row, 30 s at most. Deaths of loaded models are the pool's matter.
class BackOff {
 public:
  using Clock = std::chrono::steady_clock;

  void died(Clock::time_point now);
  void lived() { *this = {}; }
  std::chrono::milliseconds remaining(Clock::time_point now) const;
  int deaths() const { return deaths_; }

 private:
  int deaths_ = 0;
  Clock::time_point until_{};
};

// Thread rule: any thread. Models started here may outlive it; the log must outlive them.
class Workers {
 public:
  Workers(const WorkerOptions& options, hal::Options hardware, engine::Options engine, util::Log& log,
          Launch launch = {});

  // As PoolSource::load. `unavailable` with reason "worker_restarting" when the model's process died too
  // often for another try now.
  Result<std::unique_ptr<Inference>> load(const ModelInfo& info, const LoadBudget& budget);
  // As model::Examiner.
  std::vector<model::Examined> examine(const std::vector<std::string>& paths) const;

 private:
  struct Record {
    std::mutex mutex;
    BackOff back_off;  // guarded by mutex
  };

  const WorkerOptions options_;
  const hal::Options hardware_;
  const engine::Options engine_;
  util::Log& log_;
  const Launch launch_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Record>> records_;  // guarded by mutex_; by path
};

}  // namespace pensieve::manage
