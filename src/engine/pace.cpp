// Pace: an exponentially smoothed time for a row, from steps with enough rows to tell.
// Not a model of the device: rows of answers count like rows of prompts.
#include "engine/pace.h"

#include <algorithm>

namespace pensieve::engine {

void Pace::record(std::int32_t rows, double milliseconds) {
  if (rows < kFewest) return;
  constexpr double kNew = 0.3;  // one disturbed step does not halve the next
  const double sample = milliseconds / rows;
  row_milliseconds_ = row_milliseconds_ < 0 ? sample : (1 - kNew) * row_milliseconds_ + kNew * sample;
}

std::int32_t Pace::rows_within(double milliseconds, std::int32_t most) const {
  if (row_milliseconds_ < 0) return std::min(kFirst, most);
  if (row_milliseconds_ * most <= milliseconds) return most;
  return std::min(std::max(static_cast<std::int32_t>(milliseconds / row_milliseconds_), kFewest), most);
}

}  // namespace pensieve::engine
