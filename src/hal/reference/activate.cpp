// activate: the non-linear functions, in double precision.
#include <cmath>
#include <numbers>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {
namespace {

double apply(ActivateParams::Kind kind, double x) {
  switch (kind) {
    case ActivateParams::Kind::silu:
      return x / (1.0 + std::exp(-x));
    case ActivateParams::Kind::gelu:
      return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
    case ActivateParams::Kind::gelu_tanh: {
      const double inner = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return 0.5 * x * (1.0 + std::tanh(inner));
    }
    case ActivateParams::Kind::relu:
      break;
  }
  return x > 0.0 ? x : 0.0;
}

}  // namespace

void activate(const ActivateParams& params, const float* in, const float* gated, std::size_t elements,
              float* out) {
  for (std::size_t i = 0; i < elements; ++i) {
    const auto y = static_cast<float>(apply(params.kind, static_cast<double>(in[i])));
    out[i] = gated != nullptr ? y * gated[i] : y;
  }
}

}  // namespace pensieve::hal::reference
