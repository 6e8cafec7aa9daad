// The loop, and the farewell to what is left.
#include "manage/task_thread.h"

#include <utility>

namespace pensieve::manage {

TaskThread::TaskThread() : thread_([this] { loop(); }) {}

TaskThread::~TaskThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void TaskThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void TaskThread::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    const bool abandoned = stop_;
    lock.unlock();
    task(abandoned);
    task = nullptr;  // what it holds is destroyed without the lock
    lock.lock();
  }
}

}  // namespace pensieve::manage
