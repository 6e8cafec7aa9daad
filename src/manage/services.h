// Services: everything an endpoint may use, passed by reference. Owned by the composition root (tools/serve).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/inference.h"
#include "core/model_info.h"
#include "core/result.h"
#include "util/log.h"

namespace pensieve::manage {

enum class ModelState : std::uint8_t { unloaded, loading, loaded, failed };

struct ModelStatus {
  ModelInfo info;
  ModelState state = ModelState::unloaded;
  std::string problem;  // why the last load failed
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
  // the nearest names. Holding the pointer keeps the model loaded.
  virtual void acquire(std::string_view name, Acquired acquired) = 0;
  virtual std::vector<ModelStatus> list() const = 0;
  virtual Result<ModelStatus> find(std::string_view name) const = 0;
  virtual bool ready() const = 0;  // a model that was asked for at start can generate now
};

struct Services {
  ModelPool& models;
  util::Log& log;
};

}  // namespace pensieve::manage
