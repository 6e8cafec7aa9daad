// Executor: the one thread on which everything about a connection happens. Endpoints see only this, never the
// network library, so that they compile without it and run over any transport.
#pragma once

#include <functional>

namespace pensieve::server {

// Thread rule: post may be called from any thread; work runs on the executor's thread, in order of posting,
// and is dropped once the server has stopped.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> work) = 0;
};

}  // namespace pensieve::server
