// slice: keeps columns [first, first + width) of each group of `group_width` neighbouring columns (parts of
// heads). Shape: [rows, groups * group_width] -> [rows, groups * width]. Weights: none.
#pragma once
#include <cstdint>
namespace pensieve {
struct SliceParams {
  std::int64_t group_width = 0, first = 0, width = 0;
};
}  // namespace pensieve
