// A thread that works through posted tasks in order, for work that callers must not wait for (rendering,
// tokenizing, loading). Not a pool: order is kept, so what was asked first is answered first.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "util/log.h"

namespace pensieve::manage {

// Thread rule: any thread may post. The destructor runs what is left with `abandoned` true and joins.
class TaskThread {
 public:
  using Task = std::function<void(bool abandoned)>;

  // A task that throws is over; the thread goes on, and `log` (which must outlive it) gets a line.
  explicit TaskThread(util::Log* log = nullptr);
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;
  ~TaskThread();
  void post(Task task);
  std::size_t backlog() const;  // tasks that wait, not the one that runs

 private:
  void loop();
  void run(const Task& task, bool abandoned) noexcept;

  util::Log* log_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stop_ = false;       // guarded by mutex_
  std::thread thread_;      // last: starts when the rest stands
};

}  // namespace pensieve::manage
