// Bookkeeping of models: who waits for what, and what has become of it. No callback runs with the lock held.
#include "manage/model_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <utility>

#include "manage/nearest.h"
#include "model/model_name.h"
#include "util/unicode.h"

namespace pensieve::manage {

using std::chrono::steady_clock;
using util::LogLevel;

// Models whose last pointer came back. A model must not be destroyed on a thread of its own (it joins them),
// and the last pointer may well be held by an event sink; so the pool destroys it.
struct OnDemandPool::Graveyard {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::unique_ptr<Inference>> dead;
  std::size_t alive = 0;
  bool closed = false;

  void bury(Inference* inference) {
    const std::lock_guard lock(mutex);
    --alive;
    if (closed) return;  // the program ends; its memory goes with it
    dead.emplace_back(inference);
    arrived.notify_all();
  }
  std::vector<std::unique_ptr<Inference>> close() {
    constexpr std::chrono::seconds kPatience{10};
    std::unique_lock lock(mutex);
    arrived.wait_for(lock, kPatience, [this] { return alive == 0; });
    closed = true;
    return std::move(dead);
  }
};

OnDemandPool::OnDemandPool(PoolSource source, std::vector<ModelInfo> served, util::Log& log)
    : source_(std::move(source)),
      log_(log),
      graveyard_(std::make_shared<Graveyard>()),
      loader_(std::make_unique<TaskThread>()),
      finder_(std::make_unique<TaskThread>()) {
  for (ModelInfo& info : served) {
    served_.push_back(info.name);
    Entry& entry = entries_[info.name];
    entry.info = std::move(info);
    entry.served = true;
  }
}

void OnDemandPool::start() {
  for (const std::string& name : served_) acquire(name, [](const Result<std::shared_ptr<Inference>>&) {});
  const std::lock_guard lock(mutex_);
  refresh_when_old();
}

OnDemandPool::~OnDemandPool() {
  finder_.reset();
  loader_.reset();
  for (auto& named : entries_) named.second.inference.reset();
  graveyard_->close();
}

OnDemandPool::Entry* OnDemandPool::lookup(std::string_view name) {
  return const_cast<Entry*>(std::as_const(*this).lookup(name));
}

const OnDemandPool::Entry* OnDemandPool::lookup(std::string_view name) const {
  if (const auto found = entries_.find(name); found != entries_.end()) return &found->second;
  const std::string wanted = model::lower_case(name.substr(0, model::kLongestName + 1));
  const auto same = [&](const std::string& other) { return model::lower_case(other) == wanted; };
  for (const auto& [key, entry] : entries_) {
    if (same(key) || std::any_of(entry.aliases.begin(), entry.aliases.end(), same)) return &entry;
  }
  return nullptr;
}

Result<OnDemandPool::Entry*> OnDemandPool::default_entry() {
  if (served_.size() == 1) return lookup(served_.front());
  if (served_.empty() && entries_.size() == 1) return &entries_.begin()->second;
  std::string names;
  for (const auto& named : entries_) names += (names.empty() ? "" : ", ") + named.first;
  return fail(Error::Code::invalid,
              fmt::format("'model' is missing and this server has {} models; name one of: {}",
                          entries_.size(), names),
              "model");
}

Error OnDemandPool::unknown(std::string_view name) const {
  constexpr std::size_t kShownBytes = 100, kShownNames = 3;
  std::vector<std::string> names;
  for (const auto& named : entries_) names.push_back(named.first);
  std::vector<std::string> close = nearest(name, names, kShownNames);
  const char* what = "nearest";
  if (close.empty()) {
    what = "known";
    close.assign(names.begin(),
                 names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShownNames)));
  }
  const std::string hint =
      names.empty() ? "no model is installed"
                    : fmt::format("{}: {}; GET /v1/models lists all", what, fmt::join(close, ", "));
  return Error{
      Error::Code::not_found,
      fmt::format("there is no model '{}'; {}", util::repair_utf8(name.substr(0, kShownBytes)), hint),
      "model",
      "model_not_found",
      {}};
}

void OnDemandPool::acquire(std::string_view name, Acquired acquired) {
  std::unique_lock lock(mutex_);
  Entry* entry = nullptr;
  if (name.empty()) {
    const Result<Entry*> only = default_entry();
    if (!only) {
      lock.unlock();
      return acquired(tl::unexpected(only.error()));
    }
    entry = *only;
  } else {
    entry = lookup(name);
  }
  if (entry != nullptr) return answer_or_load(*entry, std::move(acquired), lock);
  lock.unlock();
  finder_->post([this, wanted = std::string(name), acquired = std::move(acquired)](bool abandoned) {
    look_for(wanted, acquired, abandoned);
  });
}

void OnDemandPool::answer_or_load(Entry& entry, Acquired acquired, std::unique_lock<std::mutex>& lock) {
  if (entry.state == ModelState::loaded) {
    std::shared_ptr<Inference> inference = entry.inference;
    lock.unlock();
    return acquired(std::move(inference));
  }
  entry.waiting.push_back(std::move(acquired));
  if (entry.state == ModelState::loading) return;
  entry.state = ModelState::loading;
  loader_->post([this, name = entry.info.name](bool abandoned) { load(name, abandoned); });
}

void OnDemandPool::look_for(const std::string& name, const Acquired& acquired, bool abandoned) {
  Result<model::CatalogEntry> found =
      fail(Error::Code::unavailable, "the server is stopping", "", "stopping");
  if (!abandoned) found = source_.find(name);
  const bool missing = !found && found.error().code == Error::Code::not_found;
  if (!found && !missing) return acquired(tl::unexpected(std::move(found.error())));
  std::unique_lock lock(mutex_);
  Entry* entry = nullptr;
  if (!missing) {
    merge(*found);
    entry = lookup(found->name);
  }
  if (entry != nullptr) return answer_or_load(*entry, acquired, lock);
  Error error = unknown(name);  // the catalog does not know the models named at start
  lock.unlock();
  acquired(tl::unexpected(std::move(error)));
}

std::shared_ptr<Inference> OnDemandPool::guard(std::unique_ptr<Inference> inference) const {
  {
    const std::lock_guard lock(graveyard_->mutex);
    ++graveyard_->alive;
  }
  return {inference.release(), [graveyard = graveyard_](Inference* dead) { graveyard->bury(dead); }};
}

void OnDemandPool::load(const std::string& name, bool abandoned) {
  ModelInfo info;
  {
    const std::lock_guard lock(mutex_);
    info = lookup(name)->info;
  }
  Result<std::unique_ptr<Inference>> loaded =
      fail(Error::Code::unavailable, "the server is stopping", "", "stopping");
  if (!abandoned) {
    log_.write(LogLevel::info, "model_loading", {{"model", std::string_view(name)}});
    try {
      loaded = source_.load(info);
    } catch (const std::bad_alloc&) {
      loaded = fail(Error::Code::exhausted,
                    fmt::format("model '{}' does not fit: out of memory while loading", name), "model",
                    "out_of_memory");
    } catch (const std::exception& problem) {
      loaded = fail(Error::Code::internal, fmt::format("loading model '{}' failed: {}", name, problem.what()),
                    "model");
    }
    if (!loaded)
      log_.write(LogLevel::error, "model_failed",
                 {{"model", std::string_view(name)}, {"reason", std::string_view(loaded.error().what)}});
  }
  Result<std::shared_ptr<Inference>> result =
      loaded ? Result<std::shared_ptr<Inference>>(guard(std::move(*loaded)))
             : tl::unexpected(std::move(loaded.error()));
  std::vector<Acquired> waiting;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = *lookup(name);
    entry.state = result ? ModelState::loaded : ModelState::failed;
    entry.problem = result ? "" : result.error().what;
    entry.inference = result ? *result : nullptr;
    waiting.swap(entry.waiting);
  }
  for (Acquired& acquired : waiting) acquired(result);
}

void OnDemandPool::merge(const model::CatalogEntry& found) {
  const auto same_file = [&](const auto& named) { return named.second.info.path == found.info.path; };
  if (const auto known = std::find_if(entries_.begin(), entries_.end(), same_file); known != entries_.end()) {
    Entry& entry = known->second;
    entry.aliases = found.aliases;
    if (found.name != known->first) entry.aliases.push_back(found.name);
    if (entry.state != ModelState::unloaded) return;
    const std::string name = entry.info.name;
    entry.info = found.info;
    entry.info.name = name;
    entry.problem = found.problem;
    return;
  }
  if (entries_.contains(found.name)) return;  // a model named at start keeps its name
  Entry& entry = entries_[found.name];
  entry.info = found.info;
  entry.info.name = found.name;
  entry.aliases = found.aliases;
  entry.problem = found.problem;
}

void OnDemandPool::refresh(bool abandoned) {
  if (abandoned) return;
  const model::CatalogListing listing = source_.scan();
  const std::lock_guard lock(mutex_);
  const auto gone = [&](const Entry& entry) {
    if (entry.served || entry.state == ModelState::loading || entry.state == ModelState::loaded) return false;
    return std::none_of(listing.entries.begin(), listing.entries.end(),
                        [&](const model::CatalogEntry& e) { return e.info.path == entry.info.path; });
  };
  for (auto at = entries_.begin(); at != entries_.end();)
    at = gone(at->second) ? entries_.erase(at) : std::next(at);
  for (const model::CatalogEntry& found : listing.entries) merge(found);
  refreshing_ = false;
  refreshed_ = steady_clock::now();
}

void OnDemandPool::refresh_when_old() const {
  constexpr std::chrono::seconds kFresh{1};
  if (refreshing_ || (refreshed_ != steady_clock::time_point{} && steady_clock::now() - refreshed_ < kFresh))
    return;
  refreshing_ = true;
  auto* self = const_cast<OnDemandPool*>(this);
  finder_->post([self](bool abandoned) { self->refresh(abandoned); });
}

ModelStatus OnDemandPool::status_of(const Entry& entry) {
  ModelStatus status{entry.inference ? entry.inference->info() : entry.info, entry.state, entry.problem};
  status.info.name = entry.info.name;
  return status;
}

std::vector<ModelStatus> OnDemandPool::list() const {
  const std::lock_guard lock(mutex_);
  refresh_when_old();
  std::vector<ModelStatus> all;
  for (const std::string& name : served_) all.push_back(status_of(*lookup(name)));
  for (const auto& named : entries_) {
    if (!named.second.served) all.push_back(status_of(named.second));
  }
  return all;
}

Result<ModelStatus> OnDemandPool::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const Entry* entry = lookup(name);
  if (entry != nullptr) return status_of(*entry);
  refresh_when_old();
  return tl::unexpected(unknown(name));
}

bool OnDemandPool::ready() const {
  const std::lock_guard lock(mutex_);
  if (served_.empty()) return true;
  return std::any_of(served_.begin(), served_.end(),
                     [this](const std::string& name) { return lookup(name)->state == ModelState::loaded; });
}

}  // namespace pensieve::manage
