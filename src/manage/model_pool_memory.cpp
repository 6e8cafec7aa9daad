// What the pool weighs: bytes before a load, and time since a model was last used.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "manage/model_pool.h"
#include "model/model_name.h"

namespace pensieve::manage {
namespace {

using std::chrono::milliseconds;
using util::LogLevel;

// A context that serves a conversation. As long as idle models could give way, no model gets less than this
// (or than it was trained for).
constexpr std::int64_t kComfortableContext = 8192;
// After a model died: the first load at once, later ones after a pause that doubles.
constexpr milliseconds kFirstPause{100}, kLongestPause{30'000};
constexpr std::chrono::seconds kLongLife{60};  // who lived so long has its deaths forgotten

milliseconds pause_after(int deaths) {
  if (deaths <= 1) return milliseconds(0);
  return std::min(kLongestPause, kFirstPause * (1 << std::min(deaths - 2, 10)));
}

bool lacks_memory(const Result<std::unique_ptr<Inference>>& loaded) {
  return !loaded && loaded.error().reason == "out_of_memory";
}

}  // namespace

bool OnDemandPool::pinned(const ModelEntry& entry) const {
  const std::string name = model::lower_case(entry.info.name);
  const auto names_it = [&](const std::string& pin) {
    const std::string wanted = model::lower_case(pin);
    return wanted == name || std::any_of(entry.aliases.begin(), entry.aliases.end(), [&](const auto& alias) {
             return model::lower_case(alias) == wanted;
           });
  };
  return std::any_of(options_.pinned.begin(), options_.pinned.end(), names_it);
}

std::optional<OnDemandPool::Clock::time_point> OnDemandPool::expiry(const ModelEntry& entry) const {
  if (entry.state != ModelState::loaded || pinned(entry)) return std::nullopt;
  std::chrono::seconds idle(options_.idle_seconds);
  if (entry.keep_alive) {
    idle = *entry.keep_alive;
    if (idle.count() < 0) return std::nullopt;
  } else if (idle.count() == 0) {
    return std::nullopt;
  }
  constexpr std::chrono::seconds kMost{std::int64_t{1} << 31};  // beyond that the clock would overflow
  const Tenancy& tenancy = *entry.tenancy;
  return (tenancy.users() > 0 ? Clock::now() : tenancy.last_use()) + std::min(idle, kMost);
}

// The reason goes to the log. Its memory is given back when this returns, unless somebody still holds it.
void OnDemandPool::take_down(ModelEntry& entry, const char* why, Lock& lock) {
  log_.write(LogLevel::info, "model_unloaded",
             {{"model", std::string_view(entry.info.name)},
              {"reason", std::string_view(why)},
              {"memory_bytes", static_cast<std::int64_t>(entry.memory_bytes)}});
  entry.enter(ModelState::unloading);
  if (!entry.tenancy->model().alive()) note_crash(entry);
  std::shared_ptr<Tenancy> ended = std::move(entry.tenancy);
  const std::string name = entry.info.name;
  entry.keep_alive.reset();
  lock.unlock();
  ended.reset();
  graveyard_->sweep();
  lock.lock();
  ModelEntry& same = *register_.lookup(name);  // entries that are unloading are not forgotten
  same.memory_bytes = 0;
  same.enter(ModelState::unloaded);
  changed_.notify_all();
  if (!same.waiting.empty()) begin_load(same);
}

void OnDemandPool::note_crash(ModelEntry& entry) {
  entry.crashed = true;
  counters_of(entry.info.name)->count_crash();
}

void OnDemandPool::note_death(ModelEntry& entry, Lock&) {
  const auto lived = std::chrono::seconds(std::time(nullptr) - entry.since);
  // Who answered in this life is no model that only dies.
  const bool useful = entry.tenancy->model().stats().finished > 0;
  entry.deaths = useful || lived > kLongLife ? 1 : entry.deaths + 1;
  const milliseconds pause = pause_after(entry.deaths);
  log_.write(LogLevel::error, "model_died",
             {{"model", std::string_view(entry.info.name)},
              {"deaths", static_cast<std::int64_t>(entry.deaths)},
              {"pause_ms", static_cast<std::int64_t>(pause.count())}});
  entry.retry_at = Clock::now() + pause;
  note_crash(entry);
  entry.memory_bytes = 0;
  entry.problem = "the model ended unexpectedly";
  entry.enter(ModelState::failed);
  // Its users hold it until they have been told; the last of them, or else this, buries it for the keeper.
  entry.tenancy.reset();
  changed_.notify_all();
}

void OnDemandPool::tidy(Clock::time_point now) {
  graveyard_->sweep();
  Lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& named : register_.entries()) names.push_back(named.first);
  for (const std::string& name : names) {
    const auto found = register_.entries().find(name);  // taking one down lets go of the lock
    if (found == register_.entries().end()) continue;
    ModelEntry& entry = found->second;
    if (entry.state == ModelState::loading && entry.retry_at && *entry.retry_at <= now) {
      entry.retry_at.reset();
      loader_->post([this, name](bool abandoned) { load(name, abandoned); });
    }
    if (entry.tenancy == nullptr || entry.tenancy->users() > 0) continue;
    if (entry.state == ModelState::unloading) {
      take_down(entry, "asked for", lock);
    } else if (const auto end = expiry(entry); end && *end <= now) {
      take_down(entry, "idle", lock);
    }
  }
}

// How long the keeper may sleep; zero: until something changes.
milliseconds OnDemandPool::patience() const {
  constexpr milliseconds kSoon{20}, kNowAndThen{500};
  milliseconds longest{0};
  for (const auto& [name, entry] : register_.entries()) {
    const bool pausing = entry.state == ModelState::loading && entry.retry_at;
    if (entry.state == ModelState::unloading || pausing) return kSoon;
    if (entry.tenancy != nullptr && expiry(entry)) longest = kNowAndThen;
  }
  return graveyard_->waiting() ? kSoon : longest;
}

void OnDemandPool::keep() {
  Lock lock(mutex_);
  while (!stop_) {
    const milliseconds sleep = patience();
    if (sleep.count() == 0) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock, sleep);
    }
    if (stop_) return;
    lock.unlock();
    tidy(Clock::now());
    lock.lock();
  }
}

std::size_t OnDemandPool::held_by_others(const std::string& name) const {
  std::size_t held = 0;
  for (const auto& [other, entry] : register_.entries()) {
    if (other != name) held += entry.memory_bytes;
  }
  return held;
}

// What models hold is subtracted twice over: mapped weights count as available to the operating system, and
// state that was planned may not have been touched yet.
std::size_t OnDemandPool::memory_for(const std::string& name) {
  const std::size_t now = source_.available();
  const std::lock_guard lock(mutex_);
  const std::size_t held = held_by_others(name);
  most_available_ = std::max(most_available_, now);
  std::size_t limit = most_available_;
  if (options_.memory_bytes > 0) limit = std::min(limit, static_cast<std::size_t>(options_.memory_bytes));
  return std::min(now, limit - std::min(limit, held));
}

// Models named at start share what there is; one that comes later leaves as much as it takes, if it can.
std::size_t OnDemandPool::share_of(const std::string& name, std::size_t available) const {
  const std::lock_guard lock(mutex_);
  std::size_t expected = 0;
  for (const std::string& served : register_.served()) {
    const ModelEntry& entry = *register_.lookup(served);
    expected += entry.proven || entry.state == ModelState::failed ? 0 : 1;
  }
  const bool served = register_.lookup(name)->served;
  if (served) return available / std::max<std::size_t>(1, expected);
  return register_.entries().size() > 1 ? available / 2 : available;
}

bool OnDemandPool::too_many(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  if (options_.max_models == 0) return false;
  const auto& entries = register_.entries();
  return std::count_if(entries.begin(), entries.end(), [&](const auto& named) {
           return named.first != name && named.second.tenancy != nullptr;
         }) >= options_.max_models;
}

bool OnDemandPool::make_way(const std::string& name) {
  Lock lock(mutex_);
  ModelEntry* oldest = nullptr;
  for (auto& [other, entry] : register_.entries()) {
    if (other == name || entry.tenancy == nullptr || entry.tenancy->users() > 0 || pinned(entry)) continue;
    if (oldest == nullptr || entry.tenancy->last_use() < oldest->tenancy->last_use()) oldest = &entry;
  }
  if (oldest == nullptr) return false;
  take_down(*oldest, "another model needs its place", lock);
  return true;
}

bool OnDemandPool::await_departures(const std::string& name) {
  constexpr std::chrono::seconds kLastUsers{5};  // of a model that was told to go: they end soon, or not soon
  if (graveyard_->waiting()) {
    graveyard_->sweep();
    return true;
  }
  Lock lock(mutex_);
  const auto leaving = [&](bool used) {
    const auto& entries = register_.entries();
    return std::any_of(entries.begin(), entries.end(), [&](const auto& named) {
      const ModelEntry& entry = named.second;
      if (named.first == name || entry.state != ModelState::unloading) return false;
      return used || entry.tenancy == nullptr || entry.tenancy->users() == 0;
    });
  };
  if (!leaving(true)) return false;
  changed_.notify_all();  // the keeper takes them down
  const bool gone = changed_.wait_for(lock, kLastUsers, [&] { return stop_ || !leaving(true); });
  if (!gone) changed_.wait(lock, [&] { return stop_ || !leaving(false); });
  return gone && !stop_;
}

std::string OnDemandPool::tenants() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto& [name, entry] : register_.entries()) {
    if (entry.tenancy == nullptr) continue;
    text += fmt::format("{}{} ({:.0f} MiB, {})", text.empty() ? "" : ", ", name,
                        static_cast<double>(entry.memory_bytes) / (1 << 20),
                        pinned(entry) ? "pinned" : fmt::format("in use by {}", entry.tenancy->users()));
  }
  return text;
}

Result<std::unique_ptr<Inference>> OnDemandPool::attempt(const ModelInfo& info, const LoadBudget& budget) {
  try {
    return source_.load(info, budget);
  } catch (const std::bad_alloc&) {
    return fail(Error::Code::exhausted,
                fmt::format("model '{}' does not fit: out of memory while loading", info.name), "model",
                "out_of_memory");
  } catch (const std::exception& problem) {
    return fail(Error::Code::internal,
                fmt::format("loading model '{}' failed: {}", info.name, problem.what()), "model");
  }
}

Result<std::unique_ptr<Inference>> OnDemandPool::load_within_memory(const ModelInfo& info) {
  while (too_many(info.name)) {
    if (make_way(info.name)) continue;
    return fail(
        Error::Code::exhausted,
        fmt::format("model '{}' cannot be loaded: pool.max_models are loaded and none can give way: {}",
                    info.name, tenants()),
        "model", "too_many_models");
  }
  for (;;) {
    const std::size_t all = std::max<std::size_t>(1, memory_for(info.name));
    const std::size_t share = std::max<std::size_t>(1, share_of(info.name, all));
    Result<std::unique_ptr<Inference>> loaded = attempt(info, {share, kComfortableContext});
    if (lacks_memory(loaded) && share < all) loaded = attempt(info, {all, kComfortableContext});
    if (!lacks_memory(loaded)) return loaded;
    if (make_way(info.name) || await_departures(info.name)) continue;
    loaded = attempt(info, {all, 0});
    if (const std::string others = tenants(); lacks_memory(loaded) && !others.empty())
      loaded.error().what += "; loaded are " + others;
    return loaded;
  }
}

}  // namespace pensieve::manage
