// The loop, and the farewell to what is left.
#include "manage/task_thread.h"

#include <exception>
#include <string_view>
#include <utility>

namespace pensieve::manage {

TaskThread::TaskThread(util::Log* log) : log_(log), thread_([this] { loop(); }) {}

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

std::size_t TaskThread::backlog() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

void TaskThread::run(const Task& task, bool abandoned) noexcept {
  try {
    task(abandoned);
  } catch (const std::exception& problem) {
    if (log_ != nullptr)
      log_->write(util::LogLevel::error, "task_failed", {{"problem", std::string_view(problem.what())}});
  }
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
    run(task, abandoned);
    task = nullptr;  // what it holds is destroyed without the lock
    lock.lock();
  }
}

}  // namespace pensieve::manage
