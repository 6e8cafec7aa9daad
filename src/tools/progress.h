// A progress bar on a terminal's standard error, for work of more than a second.
// Nothing is written where standard error is not a terminal, or when the work ends sooner.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

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

}  // namespace pensieve::tools
