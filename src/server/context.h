// Context: what an endpoint may use besides its exchange. Owned by Server; everything in it may be used by
// any thread.
#pragma once

#include <atomic>

#include "manage/services.h"
#include "server/options.h"

namespace pensieve::server {

class RequestCounts;
class OpenStreams;
class SessionStore;

struct Context {
  manage::Services& services;
  const Options& options;
  RequestCounts& counts;
  OpenStreams& streams;
  SessionStore& sessions;
  std::atomic<bool> draining = false;  // the server is about to stop and takes no new work
};

}  // namespace pensieve::server
