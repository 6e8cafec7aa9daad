// experts: out[r] = sum over the experts e with a weight of weight[r][e] * down_e(f(gate_e x[r], up_e x[r])),
// in order of e; f is a gated activation, each part may have a bias. At most `used` weights of a row are not
// 0. Shape: x [rows, in], weights [rows, experts] -> [rows, out]. Weights: gate and up [experts, inner, in],
// down [experts, out, inner]; then none or all of their biases, f32 [experts, inner], [experts, inner],
// [experts, out].
#pragma once
#include <cstdint>

#include "core/ops/activate.h"
namespace pensieve {
struct ExpertsParams {
  ActivateParams activation;
  std::int64_t used = 1;
};
}  // namespace pensieve
