// Context: what an endpoint may use besides its exchange. Owned by Server; everything in it may be used by
// any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "manage/services.h"
#include "server/live_options.h"

namespace pensieve::server {

class RequestCounts;
class OpenStreams;
class SessionStore;
class ResponseStore;

struct Context {
  manage::Services& services;
  LiveOptions& options;
  RequestCounts& counts;
  OpenStreams& streams;
  SessionStore& sessions;
  ResponseStore& responses;
  std::atomic<bool> draining = false;       // the server is about to stop and takes no new work
  std::atomic<std::int64_t> answering = 0;  // requests between their arrival and the end of their answer
  std::atomic<std::uint64_t> reloads = 0, failed_reloads = 0;  // of the configuration
};

}  // namespace pensieve::server
