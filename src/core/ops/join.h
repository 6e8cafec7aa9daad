// join: puts two values side by side, group by group; one with a single group's columns is given to every
// group. Shape: a [rows, groups * a_width], b [rows, groups * b_width] -> [rows, groups * (a_width +
// b_width)]. Weights: none.
#pragma once
#include <cstdint>
namespace pensieve {
struct JoinParams {
  std::int64_t groups = 1;
  std::int64_t a_width = 0, b_width = 0;
};
}  // namespace pensieve
