// Lane: an executor with a thread of its own, for what is not tied to a connection's loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "server/executor.h"

namespace pensieve::server {

// Thread rule: any thread posts. `stop` runs what was posted before, drops what comes later, and is not
// called on the lane itself.
class Lane final : public Executor {
 public:
  Lane();
  ~Lane() override;
  void post(std::function<void()> work) override;
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;  // guarded by mutex_
  bool stopped_ = false;                    // guarded by mutex_
  std::thread thread_;                      // last: starts when the rest stands
};

}  // namespace pensieve::server
