// Indexing by numbers: items and slices of texts and sequences, negative ones included.
#pragma once

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

// object[start:stop:step]; none stands for a part left out.
Value slice_value(Budget& budget, const Value& object, const Value& start, const Value& stop,
                  const Value& step);

// A half-open range of positions, clamped to a length as Python clamps slices (step 1).
struct Positions {
  std::size_t begin, end;
};
Positions clamp_positions(std::size_t length, const Value& start, const Value& stop);

}  // namespace pensieve::model::jinja
