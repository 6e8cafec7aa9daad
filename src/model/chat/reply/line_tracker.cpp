// Fences: three or more backticks or tildes, indented by at most three spaces.
#include "model/chat/reply/line_tracker.h"

#include <algorithm>

namespace pensieve::model::reply {

void LineTracker::add(std::string_view text) {
  constexpr std::size_t kKept = 80;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view part = text.substr(0, end);
    line_ += part.substr(0, kKept - std::min(kKept, line_.size()));
    if (end == std::string_view::npos) return;
    end_line();
    text.remove_prefix(end + 1);
  }
}

void LineTracker::end_line() {
  std::string_view line = line_;
  for (int i = 0; i < 3 && line.starts_with(' '); ++i) line.remove_prefix(1);
  const char c = line.empty() ? '\0' : line.front();
  const std::size_t run = std::min(line.find_first_not_of(c), line.size());
  if ((c == '`' || c == '~') && run >= 3) {
    const std::string_view rest = line.substr(run);
    if (fence_ == 0 && (c == '~' || rest.find('`') == std::string_view::npos)) {
      fence_ = c;
      fence_length_ = run;
    } else if (fence_ == c && run >= fence_length_ &&
               rest.find_first_not_of(" \t\r") == std::string_view::npos) {
      fence_ = 0;
    }
  }
  line_.clear();
}

}  // namespace pensieve::model::reply
