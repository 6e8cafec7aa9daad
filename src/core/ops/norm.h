// norm: normalises each group of `group_width` neighbouring columns, then multiplies by weight (and adds
// bias). rms:   y = x / sqrt(mean(x^2) + epsilon);   layer: y = (x - mean(x)) / sqrt(variance(x) + epsilon).
// group_width equals the row width for the usual norms and the head width for q/k norms. A weight has
// group_width elements, the same for every group, or the row's width: each group its own. Shape: [rows,
// width] -> [rows, width]. Weights: none, weight, or weight and bias.
#pragma once
#include <cstdint>
namespace pensieve {
struct NormParams {
  enum class Kind : std::uint8_t { rms, layer } kind = Kind::rms;
  float epsilon = 1e-5F;
  std::int64_t group_width = 0;
};
}  // namespace pensieve
