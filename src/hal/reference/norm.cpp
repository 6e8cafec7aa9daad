// norm: root-mean-square and layer normalisation of groups of columns, statistics in double precision.
#include <cmath>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {
namespace {

void normalize_group(const NormParams& params, std::span<const float> weight, std::span<const float> bias,
                     std::span<const float> in, float* out) {
  const auto count = static_cast<double>(in.size());
  double mean = 0.0;
  if (params.kind == NormParams::Kind::layer) {
    for (const float x : in) mean += static_cast<double>(x);
    mean /= count;
  }
  double squares = 0.0;
  for (const float x : in) squares += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
  const double inverse = 1.0 / std::sqrt(squares / count + static_cast<double>(params.epsilon));
  for (std::size_t i = 0; i < in.size(); ++i) {
    double y = (static_cast<double>(in[i]) - mean) * inverse;
    if (!weight.empty()) y *= static_cast<double>(weight[i]);
    if (!bias.empty()) y += static_cast<double>(bias[i]);
    out[i] = static_cast<float>(y);
  }
}

}  // namespace

void norm(const NormParams& params, std::span<const float> weight, std::span<const float> bias, InputRows in,
          float* out) {
  const auto group = static_cast<std::size_t>(params.group_width);
  // The part of a weight that a group reads: all of it, or its own.
  const auto part = [&](std::span<const float> all, std::size_t at) {
    return all.size() > group ? all.subspan(at % in.width, group) : all;
  };
  for (std::size_t at = 0; at < in.rows * in.width; at += group) {
    normalize_group(params, part(weight, at), part(bias, at), {in.data + at, group}, out + at);
  }
}

}  // namespace pensieve::hal::reference
