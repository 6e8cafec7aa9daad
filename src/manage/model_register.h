// ModelRegister: the models that a server knows, by name: those named at start, those of the directories, and
// what is known of each. Not the pool: nothing is loaded or decided here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manage/services.h"
#include "manage/tenancy.h"
#include "model/catalog.h"

namespace pensieve::manage {

struct ModelEntry {
  using Clock = std::chrono::steady_clock;

  ModelInfo info;
  std::vector<std::string> aliases;
  bool served = false;  // named at start
  bool proven = false;  // its last load succeeded
  ModelState state = ModelState::unloaded;
  std::int64_t since = 0;  // of the state, seconds since 1970
  std::string problem;
  std::shared_ptr<Tenancy> tenancy;  // while loaded and unloading
  std::uint64_t memory_bytes = 0;    // of the tenancy, as planned
  std::optional<std::chrono::seconds> keep_alive;
  std::vector<ModelPool::Acquired> waiting;
  int deaths = 0;                             // in a row, without a useful life between
  bool crashed = false;                       // its last life or load ended with its process
  std::optional<Clock::time_point> retry_at;  // a load that waits for its time

  bool holds_memory() const { return state == ModelState::loaded || state == ModelState::unloading; }
  void enter(ModelState next);
};

// Thread rule: the owner's lock.
class ModelRegister {
 public:
  using Entries = std::map<std::string, ModelEntry, std::less<>>;

  explicit ModelRegister(std::vector<ModelInfo> served);

  // Exact, then in any case, aliases included; null when unknown.
  ModelEntry* lookup(std::string_view name);
  const ModelEntry* lookup(std::string_view name) const;
  // The only one, for requests that name none.
  Result<ModelEntry*> default_entry();
  Error unknown(std::string_view name) const;  // with the nearest names

  void merge(const model::CatalogEntry& found);
  // Merges all of them and forgets what is no longer there and not in use.
  void replace(const std::vector<model::CatalogEntry>& found);

  Entries& entries() { return entries_; }
  const Entries& entries() const { return entries_; }
  const std::vector<std::string>& served() const { return served_; }  // in the order of the command line

 private:
  Entries entries_;
  std::vector<std::string> served_;
};

}  // namespace pensieve::manage
