// Services: everything an endpoint may use, passed by reference. Owned by the composition root (tools/serve).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/inference.h"
#include "core/model_info.h"
#include "core/result.h"
#include "manage/model_counters.h"
#include "util/log.h"

namespace pensieve::manage {

// `unloading`: still answers what it was asked before, takes nothing new.
enum class ModelState : std::uint8_t { unloaded, loading, loaded, unloading, failed };

struct ModelStatus {
  ModelInfo info;
  ModelState state = ModelState::unloaded;
  std::string problem;                       // why the last load failed, or what ended the model
  std::uint64_t memory_bytes = 0;            // held now
  std::int64_t since = 0;                    // of the state, seconds since 1970; 0: since the start
  std::int64_t used = 0;                     // last use, seconds since 1970; 0: not used since the load
  std::optional<std::int64_t> expires = {};  // when idleness will unload it, seconds since 1970
  std::int32_t users = 0;                    // who holds it now: requests, mostly
  bool pinned = false;
};

// The models this server knows and those it has loaded.
// Thread rule: any thread; callbacks run on a thread of the pool's, exactly once, possibly before acquire
// returns.
class ModelPool {
 public:
  using Acquired = std::function<void(Result<std::shared_ptr<Inference>>)>;
  virtual ~ModelPool() = default;
  // Loads on first use, once however many ask. An empty name means the only model of the server; with several
  // it is an `invalid` error naming the field. Unknown names are not_found with reason "model_not_found" and
  // the nearest names. Holding the pointer keeps the model loaded and counts as use.
  virtual void acquire(std::string_view name, Acquired acquired) = 0;
  // Gives a model's memory back: soon when nobody uses it, else when its last user is done; who asks for it
  // meanwhile gets it loaded again. The status says what has become of it so far. A model that is not loaded
  // stays so. Errors: as acquire; `unavailable` with reason "model_loading": a load cannot be broken off.
  virtual Result<ModelStatus> unload(std::string_view name) = 0;
  // How long the model stays after a use, until it is unloaded next; negative: for ever; zero: not at all;
  // nothing: as configured. Errors: as acquire.
  virtual Result<> keep_alive(std::string_view name, std::optional<std::chrono::seconds> idle) = 0;
  virtual std::vector<ModelStatus> list() const = 0;
  virtual Result<ModelStatus> find(std::string_view name) const = 0;
  // A model that was asked for at start can answer: it is loaded, or was and comes back when asked for. Where
  // none was asked for, one is known that would be loaded on request.
  virtual bool ready() const = 0;
  // Of every model that was loaded since the start, by name. They never fall.
  virtual std::map<std::string, CountersReading> counters() const = 0;
};

struct Services {
  ModelPool& models;
  util::Log& log;
};

}  // namespace pensieve::manage
