// WorkerLog: what a worker writes to standard error, as lines of the gateway's own log. Lines that are events
// keep their level, name and fields; anything else (an assertion, a library's complaint) becomes the field
// `text` of `worker_output`. Every line says which worker. Not trusted: lines are cut, and a flood is
// counted, not written.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "util/log.h"

namespace pensieve::manage {

// Thread rule: one thread.
class WorkerLog {
 public:
  WorkerLog(util::Log& log, std::int64_t pid, std::string model)
      : log_(log), pid_(pid), model_(std::move(model)) {}
  ~WorkerLog();  // writes what has no line end yet

  void feed(std::string_view bytes);

 private:
  void line(std::string_view text);
  bool event(std::string_view text);
  bool admitted();

  util::Log& log_;
  const std::int64_t pid_;
  const std::string model_;
  std::string partial_;
  std::chrono::steady_clock::time_point since_{};
  int lines_ = 0;  // in the second that began then
  std::int64_t dropped_ = 0;
};

}  // namespace pensieve::manage
