// Choice of experts for one row, as core/ops/route.h defines it; the same for every instruction set.
#pragma once

#include <span>

#include "core/ops/route.h"

namespace pensieve::hal::cpu {

// `bias` has as many elements as `scores`, or is null; `out` too: weights, 0 for those not chosen. `space`
// has twice as many.
void choose_experts(const RouteParams& params, const float* bias, std::span<const float> scores, float* space,
                    float* out);

}  // namespace pensieve::hal::cpu
