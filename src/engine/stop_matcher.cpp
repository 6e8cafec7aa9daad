// StopMatcher: one Knuth-Morris-Pratt automaton for each string; amortised constant time a byte and string.
// Not for regular expressions.
#include "engine/stop_matcher.h"

#include <algorithm>

namespace pensieve::engine {
namespace {

std::vector<std::size_t> borders_of(const std::string& text) {
  std::vector<std::size_t> borders(text.size(), 0);
  for (std::size_t i = 1, length = 0; i < text.size(); ++i) {
    while (length > 0 && text[i] != text[length]) length = borders[length - 1];
    if (text[i] == text[length]) ++length;
    borders[i] = length;
  }
  return borders;
}

}  // namespace

StopMatcher::StopMatcher(const std::vector<std::string>& strings) {
  for (const std::string& text : strings) {
    if (!text.empty()) patterns_.push_back({text, borders_of(text), 0});
  }
}

const std::string* StopMatcher::add(char byte) {
  const std::string* found = nullptr;
  for (Pattern& pattern : patterns_) {
    std::size_t& matched = pattern.matched;
    while (matched > 0 && pattern.text[matched] != byte) matched = pattern.borders[matched - 1];
    if (pattern.text[matched] == byte) ++matched;
    if (matched < pattern.text.size()) continue;
    if (found == nullptr || found->size() < pattern.text.size()) found = &pattern.text;
    matched = pattern.borders.back();  // for a match that does not count: the next may overlap it
  }
  return found;
}

std::size_t StopMatcher::possible() const {
  std::size_t longest = 0;
  for (const Pattern& pattern : patterns_) longest = std::max(longest, pattern.matched);
  return longest;
}

}  // namespace pensieve::engine
