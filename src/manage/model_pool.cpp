// Who waits for what, and what has become of it. No callback runs with the lock held. Memory and time are
// weighed in model_pool_memory.cpp.
#include "manage/model_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "manage/guarded.h"
#include "manage/process_death.h"

namespace pensieve::manage {

using util::LogLevel;

namespace {

Error stopping() {
  return Error{Error::Code::unavailable, "the server is stopping", "", "stopping", {}};
}

}  // namespace

OnDemandPool::OnDemandPool(PoolSource source, std::vector<ModelInfo> served, util::Log& log,
                           PoolOptions options)
    : source_(std::move(source)),
      log_(log),
      graveyard_(std::make_shared<Graveyard>()),
      options_(std::move(options)),
      register_(std::move(served)),
      loader_(std::make_unique<TaskThread>(&log_)),
      finder_(std::make_unique<TaskThread>(&log_)),
      keeper_([this] { keep(); }) {}

void OnDemandPool::start() {
  for (const std::string& name : register_.served())
    acquire(name, [](const Result<std::shared_ptr<Inference>>&) {});
  const std::lock_guard lock(mutex_);
  refresh_when_old();
}

OnDemandPool::~OnDemandPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  keeper_.join();
  finder_.reset();
  loader_.reset();
  for (auto& named : register_.entries()) {
    for (Acquired& acquired : named.second.waiting) acquired(tl::unexpected(stopping()));
    named.second.tenancy.reset();
  }
  graveyard_->close();
}

void OnDemandPool::configure(PoolOptions options) {
  const std::lock_guard lock(mutex_);
  options_ = std::move(options);
  changed_.notify_all();
}

void OnDemandPool::acquire(std::string_view name, Acquired acquired) {
  Lock lock(mutex_);
  if (name.empty()) {
    const Result<ModelEntry*> only = register_.default_entry();
    if (only) return answer_or_load(**only, std::move(acquired), lock);
    if (directories_read_) {
      lock.unlock();
      return acquired(tl::unexpected(only.error()));
    }
  } else if (ModelEntry* entry = register_.lookup(name)) {
    return answer_or_load(*entry, std::move(acquired), lock);
  }
  lock.unlock();
  finder_->post([this, wanted = std::string(name), acquired = std::move(acquired)](bool abandoned) {
    if (!wanted.empty() || abandoned) return look_for(wanted, acquired, abandoned);
    refresh(abandoned);  // a server's first request may come before it knows what it has
    acquire(wanted, acquired);
  });
}

void OnDemandPool::answer_or_load(ModelEntry& entry, Acquired acquired, Lock& lock) {
  if (entry.state == ModelState::loaded && !entry.tenancy->model().alive()) note_death(entry, lock);
  if (entry.state == ModelState::loaded) {
    std::shared_ptr<Inference> lease = Tenancy::lease(entry.tenancy);
    lock.unlock();
    return acquired(std::move(lease));
  }
  entry.waiting.push_back(std::move(acquired));
  if (entry.state == ModelState::loading || entry.state == ModelState::unloading) return;
  begin_load(entry);
}

void OnDemandPool::begin_load(ModelEntry& entry) {
  entry.enter(ModelState::loading);
  if (entry.retry_at && *entry.retry_at > Clock::now()) {
    changed_.notify_all();  // the keeper begins it in time
    return;
  }
  entry.retry_at.reset();
  loader_->post([this, name = entry.info.name](bool abandoned) { load(name, abandoned); });
}

void OnDemandPool::look_for(const std::string& name, const Acquired& acquired, bool abandoned) {
  Result<model::CatalogEntry> found = tl::unexpected(stopping());
  if (!abandoned)
    found = guarded(fmt::format("looking for model '{}'", name), [&] { return source_.find(name); });
  const bool missing = !found && found.error().code == Error::Code::not_found;
  if (!found && !missing) return acquired(tl::unexpected(std::move(found.error())));
  Lock lock(mutex_);
  ModelEntry* entry = nullptr;
  if (!missing) {
    register_.merge(*found);
    entry = register_.lookup(found->name);
  }
  if (entry != nullptr) return answer_or_load(*entry, acquired, lock);
  Error error = register_.unknown(name);  // the catalog does not know the models named at start
  lock.unlock();
  acquired(tl::unexpected(std::move(error)));
}

void OnDemandPool::load(const std::string& name, bool abandoned) {
  ModelInfo info;
  {
    const std::lock_guard lock(mutex_);
    info = register_.lookup(name)->info;
  }
  if (abandoned) return settle(name, tl::unexpected(stopping()));
  log_.write(LogLevel::info, "model_loading", {{"model", std::string_view(name)}});
  Result<std::unique_ptr<Inference>> loaded = load_within_memory(info);
  if (!loaded)
    log_.write(LogLevel::error, "model_failed",
               {{"model", std::string_view(name)}, {"reason", std::string_view(loaded.error().what)}});
  settle(name, std::move(loaded));
}

void OnDemandPool::settle(const std::string& name, Result<std::unique_ptr<Inference>> loaded) {
  std::vector<std::pair<Acquired, Result<std::shared_ptr<Inference>>>> answers;
  {
    const std::lock_guard lock(mutex_);
    ModelEntry& entry = *register_.lookup(name);
    const std::shared_ptr<ModelCounters> counters = counters_of(name);
    if (loaded && std::exchange(entry.crashed, false)) counters->count_restart();
    if (!loaded && process_died(loaded.error())) note_crash(entry);
    if (loaded) {
      entry.memory_bytes = (*loaded)->stats().memory_bytes;
      entry.tenancy = std::make_shared<Tenancy>(std::move(*loaded), counters, graveyard_);
    }
    entry.proven = loaded.has_value();
    entry.problem = loaded ? "" : loaded.error().what;
    entry.enter(loaded ? ModelState::loaded : ModelState::failed);
    for (Acquired& acquired : entry.waiting) {
      answers.emplace_back(std::move(acquired), tl::unexpected(loaded ? Error{} : loaded.error()));
      if (loaded) answers.back().second = Tenancy::lease(entry.tenancy);
    }
    entry.waiting.clear();
    changed_.notify_all();
  }
  for (auto& [acquired, answer] : answers) acquired(std::move(answer));
}

std::shared_ptr<ModelCounters> OnDemandPool::counters_of(const std::string& name) {
  std::shared_ptr<ModelCounters>& counters = counters_[name];
  if (!counters) counters = std::make_shared<ModelCounters>();
  return counters;
}

Result<ModelStatus> OnDemandPool::unload(std::string_view name) {
  Lock lock(mutex_);
  ModelEntry* entry = register_.lookup(name);
  if (entry == nullptr) {
    refresh_when_old();
    return tl::unexpected(not_known(name));
  }
  if (entry->state == ModelState::loading) {
    return fail(Error::Code::unavailable,
                fmt::format("model '{}' is being loaded, which cannot be broken off; unload it afterwards",
                            entry->info.name),
                "model", "model_loading");
  }
  if (entry->state == ModelState::loaded) entry->enter(ModelState::unloading);
  changed_.notify_all();
  return status_of(*entry);
}

Result<> OnDemandPool::keep_alive(std::string_view name, std::optional<std::chrono::seconds> idle) {
  const std::lock_guard lock(mutex_);
  ModelEntry* entry = register_.lookup(name);
  if (entry == nullptr) return tl::unexpected(not_known(name));
  entry->keep_alive = idle;
  changed_.notify_all();
  return {};
}

void OnDemandPool::refresh(bool abandoned) {
  if (abandoned) return;
  const auto listing = guarded("reading the model directories",
                               [this]() -> Result<model::CatalogListing> { return source_.scan(); });
  const std::lock_guard lock(mutex_);
  refreshing_ = false;
  refreshed_ = Clock::now();
  directories_read_ = true;  // as far as they can be
  if (listing) return register_.replace(listing->entries);
  log_.write(LogLevel::error, "scan_failed", {{"problem", std::string_view(listing.error().what)}});
}

void OnDemandPool::refresh_when_old() const {
  constexpr std::chrono::seconds kFresh{1};
  if (refreshing_ || (directories_read_ && Clock::now() - refreshed_ < kFresh)) return;
  refreshing_ = true;
  auto* self = const_cast<OnDemandPool*>(this);
  finder_->post([self](bool abandoned) { self->refresh(abandoned); });
}

ModelStatus OnDemandPool::status_of(const ModelEntry& entry) const {
  ModelStatus status{entry.info, entry.state, entry.problem};
  status.since = entry.since;
  status.pinned = pinned(entry);
  if (entry.tenancy == nullptr) return status;
  const auto on_the_wall = [](Clock::time_point time) {
    const auto ahead = std::chrono::duration_cast<std::chrono::seconds>(time - Clock::now()).count();
    return static_cast<std::int64_t>(std::time(nullptr)) + ahead;
  };
  const Tenancy& tenancy = *entry.tenancy;
  status.info = tenancy.model().info();
  status.info.name = entry.info.name;
  status.memory_bytes = entry.memory_bytes;
  status.users = tenancy.users();
  if (tenancy.used()) status.used = on_the_wall(tenancy.last_use());
  if (const auto end = expiry(entry)) status.expires = on_the_wall(*end);
  if (entry.state == ModelState::loaded && !tenancy.model().alive()) {
    status.state = ModelState::failed;
    status.problem = "the model ended unexpectedly; the next request loads it again";
  }
  return status;
}

std::vector<ModelStatus> OnDemandPool::list() const {
  const std::lock_guard lock(mutex_);
  refresh_when_old();
  std::vector<ModelStatus> all;
  for (const std::string& name : register_.served()) all.push_back(status_of(*register_.lookup(name)));
  for (const auto& named : register_.entries()) {
    if (!named.second.served) all.push_back(status_of(named.second));
  }
  return all;
}

Result<ModelStatus> OnDemandPool::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const ModelEntry* entry = register_.lookup(name);
  if (entry != nullptr) return status_of(*entry);
  refresh_when_old();
  return tl::unexpected(not_known(name));
}

Error OnDemandPool::not_known(std::string_view name) const {
  if (directories_read_) return register_.unknown(name);
  return Error{Error::Code::unavailable,
               "the model directories are being read for the first time; ask again in a moment",
               "model",
               "models_being_read",
               {}};
}

bool OnDemandPool::directories_read() const {
  const std::lock_guard lock(mutex_);
  return directories_read_;
}

bool OnDemandPool::ready() const {
  const std::lock_guard lock(mutex_);
  if (register_.served().empty()) {
    const auto& known = register_.entries();
    return std::any_of(known.begin(), known.end(),
                       [](const auto& entry) { return entry.second.state != ModelState::failed; });
  }
  const auto can_answer = [this](const std::string& name) {
    const ModelEntry& entry = *register_.lookup(name);
    return entry.proven && entry.state != ModelState::failed;
  };
  return std::any_of(register_.served().begin(), register_.served().end(), can_answer);
}

std::map<std::string, CountersReading> OnDemandPool::counters() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, CountersReading> all;
  for (const auto& [name, counters] : counters_) {
    const ModelEntry* entry = register_.lookup(name);
    const bool live = entry != nullptr && entry->tenancy != nullptr;
    CountersReading reading = counters->read(live ? entry->tenancy->model().stats() : InferenceStats{});
    // Noted with the next request to it, or when it is taken down; but it has happened.
    if (live && !entry->tenancy->model().alive()) ++reading.crashes;
    all.emplace(name, std::move(reading));
  }
  return all;
}

}  // namespace pensieve::manage
