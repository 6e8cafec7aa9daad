// activate: out = f(a), or with two inputs the gated form out = f(a) * b.
// silu(x) = x / (1 + e^-x); gelu(x) = x * normal_cdf(x); gelu_tanh is its usual tanh form; relu(x) = max(x, 0).
// Shape: [rows, width] (twice when gated) -> [rows, width]. Weights: none.
#pragma once
#include <cstdint>
namespace pensieve {
struct ActivateParams {
  enum class Kind : std::uint8_t { silu, gelu, gelu_tanh, relu } kind = Kind::silu;
};
}  // namespace pensieve
