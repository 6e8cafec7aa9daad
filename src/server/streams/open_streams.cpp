// See open_streams.h.
#include "server/streams/open_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pensieve::server {
namespace {

Error not_found(std::string_view id) {
  return {Error::Code::not_found,
          fmt::format("there is no generation '{}', or it has ended", id.substr(0, 100)),
          "id",
          "generation_not_found",
          {}};
}

}  // namespace

OpenStreams::~OpenStreams() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (const auto& [id, entry] : entries_) entry.stream->cancel();
    entries_.clear();
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

Result<OpenStreams::Stream> OpenStreams::open(std::string id, std::string owner, bool resumable) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find({owner, id}); found != entries_.end() && only_kept(found->second)) {
    forget(found);
  } else if (found != entries_.end()) {
    return fail(Error::Code::invalid,
                fmt::format("id '{}' is in use; choose another, or wait for its generation to end",
                            id.substr(0, 100)),
                "id", "id_in_use");
  }
  if (entries_.size() >= limits_.streams && !forget_oldest_kept()) {
    return fail(Error::Code::exhausted,
                fmt::format("{} generations are open on this server; try again later", entries_.size()), {},
                "too_many_generations");
  }
  auto stream = std::make_shared<GenerationStream>(std::move(id), std::move(owner), resumable);
  entries_.emplace(key_of(*stream), Entry{stream, std::nullopt});
  return stream;
}

Result<OpenStreams::Stream> OpenStreams::find(std::string_view id, std::string_view owner) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({std::string(owner), std::string(id)});
  if (found == entries_.end()) return tl::unexpected(not_found(id));
  return found->second.stream;
}

Result<> OpenStreams::cancel(std::string_view id, std::string_view owner) const {
  Stream stream;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find({std::string(owner), std::string(id)});
    if (found == entries_.end() || only_kept(found->second)) return tl::unexpected(not_found(id));
    stream = found->second.stream;
  }
  stream->cancel();
  return {};
}

// Ended, and read to its end or left by its reader.
bool OpenStreams::only_kept(const Entry& entry) {
  return entry.forget_at && entry.stream->ended();
}

void OpenStreams::resumed(const Stream& stream) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key_of(*stream));
  if (found != entries_.end() && found->second.stream == stream) found->second.forget_at.reset();
}

void OpenStreams::leave(const Stream& stream, GenerationStream::Reader reader) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key_of(*stream));
  if (found == entries_.end() || found->second.stream != stream || !stream->attached(reader)) return;
  stream->detach(reader);
  if (!stream->resumable()) {
    forget(found);
    return;
  }
  found->second.forget_at = Clock::now() + limits_.keep;
  make_room();
  if (!watcher_.joinable()) watcher_ = std::thread([this] { watch(); });
  changed_.notify_all();
}

std::size_t OpenStreams::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

OpenStreams::Entries::iterator OpenStreams::forget(Entries::iterator entry) {
  entry->second.stream->cancel();  // without effect when it has ended
  return entries_.erase(entry);
}

void OpenStreams::forget_due(Clock::time_point now) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool due = entry->second.forget_at && *entry->second.forget_at <= now;
    entry = due ? forget(entry) : std::next(entry);
  }
}

bool OpenStreams::forget_oldest_kept() {
  auto oldest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (!only_kept(entry->second)) continue;
    if (oldest == entries_.end() || *entry->second.forget_at < *oldest->second.forget_at) oldest = entry;
  }
  if (oldest == entries_.end()) return false;
  forget(oldest);
  return true;
}

void OpenStreams::make_room() {
  while (true) {
    std::size_t bytes = 0;
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (!entry->second.forget_at) continue;
      bytes += entry->second.stream->bytes();
      if (oldest == entries_.end() || *entry->second.forget_at < *oldest->second.forget_at) oldest = entry;
    }
    if (bytes <= limits_.bytes) return;
    forget(oldest);
  }
}

void OpenStreams::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    forget_due(Clock::now());
    make_room();  // streams that nobody reads may still grow
    auto next = Clock::now() + std::chrono::seconds(10);
    for (const auto& [id, entry] : entries_) {
      if (entry.forget_at) next = std::min(next, *entry.forget_at);
    }
    changed_.wait_until(lock, next);
  }
}

}  // namespace pensieve::server
