// StopMatcher: finds the first complete one of several strings in text that comes byte by byte.
// Not for cutting or holding back text: emitter.h does. Thread rule: one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pensieve::engine {

class StopMatcher {
 public:
  explicit StopMatcher(const std::vector<std::string>& strings);  // empty ones never match

  // Takes one byte; answers the string that ends with it (the longest of several), null when none does.
  const std::string* add(char byte);
  // Bytes at the end of the text so far that may be the beginning of a string; the longest such run.
  std::size_t possible() const;

 private:
  struct Pattern {
    std::string text;
    std::vector<std::size_t> borders;  // [i]: longest proper prefix of text[0..i] that is also its suffix
                                       // (Knuth, Morris, Pratt 1977)
    std::size_t matched = 0;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace pensieve::engine
