// Pace: how many rows of prompts a step may have so that it lasts no longer than wanted, learned from the
// steps before. A step cannot be interrupted: its length bounds how soon a cancellation acts and how long
// other answers stand still, and the same number of rows takes milliseconds on one machine and a minute on
// another. Not part of an answer: how a prompt is cut does not change what is computed. Thread rule: the
// engine's thread only.
#pragma once

#include <cstdint>

namespace pensieve::engine {

class Pace {
 public:
  void record(std::int32_t rows, double milliseconds);  // of one step
  // Rows that take about so long, at least kFewest and at most `most`.
  std::int32_t rows_within(double milliseconds, std::int32_t most) const;

  static constexpr std::int32_t kFewest =
      16;  // with fewer, the weights are read from memory for too little work
  static constexpr std::int32_t kFirst = 64;  // before anything was measured

 private:
  double row_milliseconds_ = -1;  // smoothed; negative: not measured yet
};

}  // namespace pensieve::engine
