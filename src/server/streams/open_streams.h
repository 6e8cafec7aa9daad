// OpenStreams: the generations of one server that are known by an id their client chose: those under way, and
// resumable ones for a while longer. Not a queue and not a limit on work: that is the engine's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "server/streams/generation_stream.h"

namespace pensieve::server {

struct StreamLimits {
  std::chrono::seconds keep{300};  // a resumable stream, after its end or its reader's leave
  std::size_t bytes = 64 << 20;    // of events of streams that nobody reads
  std::size_t streams = 4096;
};

// Thread rule: any thread. The destructor cancels what is left.
class OpenStreams {
 public:
  using Stream = std::shared_ptr<GenerationStream>;

  explicit OpenStreams(StreamLimits limits) : limits_(limits) {}
  OpenStreams(const OpenStreams&) = delete;
  OpenStreams& operator=(const OpenStreams&) = delete;
  ~OpenStreams();

  // Ids are an owner's own: what others call theirs is neither seen nor in the way. One that is only kept to
  // be resumed gives way to a new one of its id, and the oldest of them to any new one when there are too
  // many. Errors: `invalid` with reason "id_in_use"; `exhausted` when too many streams are under way.
  Result<Stream> open(std::string id, std::string owner, bool resumable);
  // Streams of another owner do not exist. Error: reason "generation_not_found".
  Result<Stream> find(std::string_view id, std::string_view owner) const;
  // As find, where a stream that has ended and been read does not exist either.
  Result<> cancel(std::string_view id, std::string_view owner) const;
  // The stream is read again: it stays until the next leave.
  void resumed(const Stream& stream);
  // Its reader has taken the last event or has gone: what cannot be resumed is cancelled and forgotten, the
  // rest kept for a while. Nothing happens when another reader has taken the stream over.
  void leave(const Stream& stream, GenerationStream::Reader reader);
  std::size_t size() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Stream stream;
    std::optional<Clock::time_point> forget_at;  // nothing: it has a reader
  };
  using Key = std::pair<std::string, std::string>;  // owner, id
  using Entries = std::map<Key, Entry>;

  void watch();      // the thread's work
  void make_room();  // with the lock held: forgets the oldest ended streams while they are too many bytes
  void forget_due(Clock::time_point now);
  static bool only_kept(const Entry& entry);
  bool forget_oldest_kept();  // with the lock held; false: none is only kept
  static Key key_of(const GenerationStream& stream) { return {stream.owner(), stream.id()}; }
  Entries::iterator forget(Entries::iterator entry);

  const StreamLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Entries entries_;      // guarded by mutex_
  bool stop_ = false;    // guarded by mutex_
  std::thread watcher_;  // started with the first stream that is kept
};

}  // namespace pensieve::server
