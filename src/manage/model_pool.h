// OnDemandPool: the models of a server: those named at start and those in the model directories, each loaded
// on first use, once however many ask, and kept. Finding and loading run on threads of the pool; whoever asks
// never waits. Not a loader and not a catalog: both are handed in, so that tests need neither files nor
// devices.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "manage/services.h"
#include "manage/task_thread.h"
#include "model/catalog.h"
#include "util/log.h"

namespace pensieve::manage {

struct PoolSource {
  std::function<model::CatalogListing()> scan;
  std::function<Result<model::CatalogEntry>(std::string_view name)> find;
  // May take minutes. Errors are told to whoever asked; the next request tries again.
  std::function<Result<std::unique_ptr<Inference>>(const ModelInfo&)> load;
};

// Thread rule: as ModelPool. The destructor waits for a load in progress, answers who still waits with
// `unavailable`, and destroys the models: all shared pointers should be back by then.
class OnDemandPool final : public ModelPool {
 public:
  // `served`: the models named at start, with distinct names. Nothing is read or loaded before start().
  OnDemandPool(PoolSource source, std::vector<ModelInfo> served, util::Log& log);
  ~OnDemandPool() override;
  // Begins to load the served models and to read the directories; called once, when the server listens.
  void start();

  void acquire(std::string_view name, Acquired acquired) override;
  std::vector<ModelStatus> list() const override;
  Result<ModelStatus> find(std::string_view name) const override;
  bool ready() const override;

 private:
  struct Entry {
    ModelInfo info;
    std::vector<std::string> aliases;
    bool served = false;
    ModelState state = ModelState::unloaded;
    std::string problem;
    std::shared_ptr<Inference> inference;
    std::vector<Acquired> waiting;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  struct Graveyard;

  Entry* lookup(std::string_view name);
  const Entry* lookup(std::string_view name) const;
  Result<Entry*> default_entry();
  // Each of these is called with mutex_ held by `lock` and may release it to call back.
  void answer_or_load(Entry& entry, Acquired acquired, std::unique_lock<std::mutex>& lock);
  void merge(const model::CatalogEntry& found);
  void refresh_when_old() const;

  void load(const std::string& name, bool abandoned);
  void look_for(const std::string& name, const Acquired& acquired, bool abandoned);
  void refresh(bool abandoned);
  std::shared_ptr<Inference> guard(std::unique_ptr<Inference> inference) const;
  Error unknown(std::string_view name) const;
  static ModelStatus status_of(const Entry& entry);

  PoolSource source_;
  util::Log& log_;
  const std::shared_ptr<Graveyard>
      graveyard_;  // shared with the deleters of models, which may outlive the pool
  mutable std::mutex mutex_;
  Entries entries_;                  // guarded by mutex_
  std::vector<std::string> served_;  // names, in the order of the command line; constant
  mutable bool refreshing_ = false;  // guarded by mutex_
  mutable std::chrono::steady_clock::time_point refreshed_{};  // guarded by mutex_
  std::unique_ptr<TaskThread> loader_;
  std::unique_ptr<TaskThread> finder_;  // stops first: its tasks post to the loader
};

}  // namespace pensieve::manage
