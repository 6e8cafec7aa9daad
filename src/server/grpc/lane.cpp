// See lane.h.
#include "server/grpc/lane.h"

#include <exception>
#include <utility>

namespace pensieve::server {

Lane::Lane() : thread_([this] { run(); }) {}

Lane::~Lane() {
  stop();
}

void Lane::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    work_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void Lane::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Lane::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || !work_.empty(); });
    if (work_.empty()) return;
    std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    try {
      work();
    } catch (const std::exception&) {
      // Out of memory, mostly: the call it belonged to ends by its deadline or its client; the others go on.
    }
    work = nullptr;  // what it holds is let go without the lock
    lock.lock();
  }
}

}  // namespace pensieve::server
