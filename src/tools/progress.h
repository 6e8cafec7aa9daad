// A progress bar on a terminal's standard error, for work of more than a second.
// Nothing is written where standard error is not a terminal, or when the work ends sooner.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace pensieve::tools {

class Progress {
 public:
  Progress(std::string label, std::int64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // removes the bar
  void advance(std::int64_t count);

 private:
  void draw();

  std::string label_;
  std::int64_t total_, done_ = 0;
  bool terminal_, drawn_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

// A line of text on a terminal's standard error while the object lives, from its second second on: for work
// without a measure, such as loading a model.
class Notice {
 public:
  explicit Notice(std::string text);
  Notice(const Notice&) = delete;
  Notice& operator=(const Notice&) = delete;
  ~Notice();

 private:
  void show();

  std::string text_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;   // guarded by mutex_
  std::thread thread_;  // not started where there is no terminal
};

}  // namespace pensieve::tools
