// experts: expert after expert over the rows that chose it, with the linear and activate of this backend.
#include <algorithm>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {
namespace {

std::span<const float> of_expert(std::span<const float> biases, std::size_t expert, std::size_t rows) {
  return biases.empty() ? biases : biases.subspan(expert * rows, rows);
}

}  // namespace

void experts(const ExpertsParams& params, const ExpertWeights& weights, InputRows x, InputRows chosen,
             std::int32_t threads, float* out) {
  const std::size_t inner = weights.gate.front().rows, width = weights.down.front().rows;
  std::fill_n(out, x.rows * width, 0.0F);
  std::vector<std::size_t> rows;
  std::vector<float> in, gate, up, result;
  for (std::size_t e = 0; e < chosen.width; ++e) {
    rows.clear();
    in.clear();
    for (std::size_t r = 0; r < x.rows; ++r) {
      if (chosen.row(r)[e] == 0.0F) continue;
      rows.push_back(r);
      in.insert(in.end(), x.row(r), x.row(r) + x.width);
    }
    if (rows.empty()) continue;
    gate.resize(rows.size() * inner);
    up.resize(rows.size() * inner);
    result.resize(rows.size() * width);
    const InputRows picked{in.data(), rows.size(), x.width};
    linear(weights.gate[e], of_expert(weights.gate_bias, e, inner), picked, threads, gate.data());
    linear(weights.up[e], of_expert(weights.up_bias, e, inner), picked, threads, up.data());
    const InputRows gates{gate.data(), rows.size(), inner}, ups{up.data(), rows.size(), inner};
    activate_gated(params.activation, gates, ups, up.data());
    linear(weights.down[e], of_expert(weights.down_bias, e, width), ups, threads, result.data());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const float weight = chosen.row(rows[i])[e];
      for (std::size_t c = 0; c < width; ++c) out[rows[i] * width + c] += weight * result[i * width + c];
    }
  }
}

}  // namespace pensieve::hal::reference
