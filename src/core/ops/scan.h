// scan: the selective state-space recurrence of Mamba-2, token by token in order of position:
// d = clamp(softplus(dt + dt_bias), step_low, step_high); S = exp(d * A) * S + d * x B^T; y = S C + D * x,
// for each head, whose state S is [head_width, state_width] and 0 before position 0. Head h reads columns of
// group h / (heads / groups) of B and C. Source: arXiv 2405.21060, section 6; softplus(z) = log(1 + e^z).
// Shape: x [rows, heads * head_width], B and C [rows, groups * state_width], dt [rows, heads]
//        -> [rows, heads * head_width]. Weights: A (negative), dt_bias, D, each f32 [heads]. State:
//        recurrent.
#pragma once
#include <cstdint>
namespace pensieve {
struct ScanParams {
  std::int64_t heads = 0, head_width = 0, groups = 0, state_width = 0;
  float step_low = 0.0F, step_high = 3.4e38F;
};
}  // namespace pensieve
