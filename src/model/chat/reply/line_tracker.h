// LineTracker: whether the next byte of a text begins a line, and whether it is inside a fenced code block
// (as CommonMark defines it, without containers). Only for text that is shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pensieve::model::reply {

class LineTracker {
 public:
  void add(std::string_view text);
  void restart() { line_.clear(); }  // a marker stood here: a new line begins
  bool outside_code_at_line_start() const { return line_.empty() && fence_ == 0; }

 private:
  void end_line();
  std::string line_;  // the first bytes of the line so far
  char fence_ = 0;    // what opened the code block; 0: none is open
  std::size_t fence_length_ = 0;
};

}  // namespace pensieve::model::reply
