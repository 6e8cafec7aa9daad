// activate: out = f(a), or with two inputs the gated form out = f(a) * b.
// silu(x) = x / (1 + e^-x); gelu(x) = x * normal_cdf(x); gelu_tanh is its usual tanh form; relu(x) = max(x,
// 0), identity(x) = x. silu_clamped, gated only (gpt-oss): min(a, L) / (1 + e^(-1.702 min(a, L))) * (clamp(b,
// -L, L) + 1), L = limit. Where a is narrower than b, each column of a gates as many neighbouring columns of
// b as fit. Shape: [rows, width], gated with [rows, width] or narrower before it -> [rows, width]. Weights:
// none.
#pragma once
#include <cstdint>
namespace pensieve {
struct ActivateParams {
  enum class Kind : std::uint8_t {
    silu,
    gelu,
    gelu_tanh,
    relu,
    relu_squared,
    sigmoid,
    tanh,
    silu_clamped,
    identity
  } kind = Kind::silu;
  float limit = 0.0F;  // silu_clamped
};
}  // namespace pensieve
