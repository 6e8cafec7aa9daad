// activate: the non-linear functions, in double precision.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {
namespace {

double apply(ActivateParams::Kind kind, double x) {
  using Kind = ActivateParams::Kind;
  switch (kind) {
    case Kind::silu:
      return x / (1.0 + std::exp(-x));
    case Kind::gelu:
      return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
    case Kind::gelu_tanh: {
      const double inner = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return 0.5 * x * (1.0 + std::tanh(inner));
    }
    case Kind::relu_squared:
      return x > 0.0 ? x * x : 0.0;
    case Kind::sigmoid:
      return 1.0 / (1.0 + std::exp(-x));
    case Kind::tanh:
      return std::tanh(x);
    case Kind::identity:
      return x;
    case Kind::silu_clamped:
      return x / (1.0 + std::exp(-1.702 * x));
    case Kind::relu:
      break;
  }
  return x > 0.0 ? x : 0.0;
}

}  // namespace

void activate(const ActivateParams& params, InputRows in, float* out) {
  for (std::size_t i = 0; i < in.rows * in.width; ++i)
    out[i] = static_cast<float>(apply(params.kind, static_cast<double>(in.data[i])));
}

void activate_gated(const ActivateParams& params, InputRows gate, InputRows in, float* out) {
  const std::size_t sharing = in.width / gate.width;
  const bool clamped = params.kind == ActivateParams::Kind::silu_clamped;
  for (std::size_t i = 0; i < in.rows * in.width; ++i) {
    const float a = gate.data[i / sharing], b = in.data[i];
    if (clamped) {
      const double factor = apply(params.kind, static_cast<double>(std::min(a, params.limit)));
      out[i] =
          static_cast<float>(factor * static_cast<double>(std::clamp(b, -params.limit, params.limit) + 1.0F));
    } else {
      out[i] = static_cast<float>(apply(params.kind, static_cast<double>(a))) * b;
    }
  }
}

}  // namespace pensieve::hal::reference
