// OnDemandPool: the models of a server: those named at start and those in the model directories, each loaded
// on first use, once however many ask, and kept until idleness, another model's need or a request unloads it.
// Finding, loading and unloading run on threads of the pool; whoever asks never waits. Not a loader and not a
// catalog: both are handed in, so that tests need neither files nor devices.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "manage/load_budget.h"
#include "manage/model_register.h"
#include "manage/pool_options.h"
#include "manage/services.h"
#include "manage/task_thread.h"
#include "manage/tenancy.h"
#include "model/catalog.h"
#include "util/log.h"

namespace pensieve::manage {

struct PoolSource {
  std::function<model::CatalogListing()> scan;
  std::function<Result<model::CatalogEntry>(std::string_view name)> find;
  // May take minutes. Plans the memory first: what does not fit into the budget is refused with reason
  // "out_of_memory" and the numbers "needed_bytes" and "available_bytes", before it costs anything. Errors
  // are told to whoever asked; the next request tries again.
  std::function<Result<std::unique_ptr<Inference>>(const ModelInfo&, const LoadBudget&)> load;
  // Bytes that the device has for models now, besides those that are loaded.
  std::function<std::size_t()> available;
};

// Thread rule: as ModelPool. The destructor waits for a load in progress, answers who still waits with
// `unavailable`, and destroys the models: all shared pointers should be back by then.
class OnDemandPool final : public ModelPool {
 public:
  using Clock = std::chrono::steady_clock;

  // `served`: the models named at start, with distinct names. Nothing is read or loaded before start().
  OnDemandPool(PoolSource source, std::vector<ModelInfo> served, util::Log& log, PoolOptions options = {});
  ~OnDemandPool() override;
  // Begins to load the served models and to read the directories; called once, when the server listens.
  void start();
  // From now on; models that are loaded stay until the new rules say otherwise.
  void configure(PoolOptions options);
  // Unloads what has been idle for too long, and what was to be unloaded and is no longer used. The pool does
  // so by itself; tests say what time it is.
  void tidy(Clock::time_point now);
  // The model directories were read once. Until then a name that is not known yet is `unavailable`, not
  // unknown.
  bool directories_read() const;

  void acquire(std::string_view name, Acquired acquired) override;
  Result<ModelStatus> unload(std::string_view name) override;
  Result<> keep_alive(std::string_view name, std::optional<std::chrono::seconds> idle) override;
  std::vector<ModelStatus> list() const override;
  Result<ModelStatus> find(std::string_view name) const override;
  bool ready() const override;
  std::map<std::string, CountersReading> counters() const override;

 private:
  using Lock = std::unique_lock<std::mutex>;

  // Each of these is called with mutex_ held by `lock` and may release it to call back.
  void answer_or_load(ModelEntry& entry, Acquired acquired, Lock& lock);
  void take_down(ModelEntry& entry, const char* why, Lock& lock);
  void note_death(ModelEntry& entry, Lock& lock);
  // With mutex_ held.
  void begin_load(ModelEntry& entry);
  void note_crash(ModelEntry& entry);
  void refresh_when_old() const;
  bool pinned(const ModelEntry& entry) const;
  std::optional<Clock::time_point> expiry(const ModelEntry& entry) const;
  ModelStatus status_of(const ModelEntry& entry) const;
  Error not_known(std::string_view name) const;
  std::chrono::milliseconds patience() const;
  std::shared_ptr<ModelCounters> counters_of(const std::string& name);
  std::size_t held_by_others(const std::string& name) const;
  std::string tenants() const;

  // On the loader's thread.
  void load(const std::string& name, bool abandoned);
  Result<std::unique_ptr<Inference>> load_within_memory(const ModelInfo& info);
  Result<std::unique_ptr<Inference>> attempt(const ModelInfo& info, const LoadBudget& budget);
  std::size_t memory_for(const std::string& name);
  std::size_t share_of(const std::string& name, std::size_t available) const;
  bool make_way(const std::string& name);  // unloads the least recently used model; false: none may go
  bool await_departures(const std::string& name);  // of models that are leaving; false: there were none
  bool too_many(const std::string& name) const;
  void settle(const std::string& name, Result<std::unique_ptr<Inference>> loaded);

  void look_for(const std::string& name, const Acquired& acquired, bool abandoned);
  void refresh(bool abandoned);
  void keep();

  const PoolSource source_;
  util::Log& log_;
  const std::shared_ptr<Graveyard> graveyard_;  // shared with tenancies, which may outlive the pool
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // something for the keeper, or memory was given back
  PoolOptions options_;              // guarded by mutex_
  ModelRegister register_;           // guarded by mutex_
  std::map<std::string, std::shared_ptr<ModelCounters>> counters_;  // guarded by mutex_
  mutable bool refreshing_ = false;                                 // guarded by mutex_
  bool directories_read_ = false;                                   // guarded by mutex_
  mutable Clock::time_point refreshed_{};                           // guarded by mutex_
  bool stop_ = false;                                               // guarded by mutex_
  std::size_t most_available_ = 0;                                  // ever seen; guarded by mutex_
  std::unique_ptr<TaskThread> loader_;
  std::unique_ptr<TaskThread> finder_;  // stops before the loader: its tasks post to it
  std::thread keeper_;                  // stops first
};

}  // namespace pensieve::manage
