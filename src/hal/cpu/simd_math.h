// Functions of vectors that every instruction set shares: exponential, hyperbolic tangent, the model's
// activations. Include after one simd_*.h, whose Simd they use; internal linkage as there.
#pragma once

#include <cmath>

#include "hal/cpu/kernels.h"

namespace pensieve::hal::cpu {
namespace {

// e^x within about 1e-7 of its value; 0 below -87.3 (so that a masked score of -infinity weighs nothing),
// finite above 88. Cody and Waite's reduction by ln 2 in two parts, then the Taylor series to degree 7 on
// [-ln2/2, ln2/2].
inline Simd::F exponential(Simd::F x) {
  using S = Simd;
  const S::F clamped = S::min(S::max(x, S::set(-87.3F)), S::set(88.0F));
  const S::F n = S::round(S::mul(clamped, S::set(1.44269504F)));
  S::F r = S::fma(n, S::set(-0.693145752F), clamped);
  r = S::fma(n, S::set(-1.42860677e-6F), r);
  S::F p = S::set(1.0F / 5040);
  p = S::fma(p, r, S::set(1.0F / 720));
  p = S::fma(p, r, S::set(1.0F / 120));
  p = S::fma(p, r, S::set(1.0F / 24));
  p = S::fma(p, r, S::set(1.0F / 6));
  p = S::fma(p, r, S::set(0.5F));
  p = S::fma(p, r, S::set(1.0F));
  p = S::fma(p, r, S::set(1.0F));
  return S::where_less(x, S::set(-87.3F), S::zero(), S::mul(p, S::power_of_two(n)));
}

// 1 - 2 / (e^2x + 1): absolute error about 1e-7.
inline Simd::F hyperbolic_tangent(Simd::F x) {
  using S = Simd;
  const S::F doubled = S::min(S::max(S::add(x, x), S::set(-40.0F)), S::set(40.0F));
  return S::sub(S::set(1.0F), S::div(S::set(2.0F), S::add(exponential(doubled), S::set(1.0F))));
}

inline Simd::F activated(Activation kind, Simd::F x) {
  using S = Simd;
  switch (kind) {
    case Activation::none:
      return x;
    case Activation::silu:
      return S::div(x, S::add(S::set(1.0F), exponential(S::sub(S::zero(), x))));
    case Activation::gelu: {
      alignas(64) float lanes[S::kLanes];
      S::store(lanes, x);
      for (float& lane : lanes) lane = 0.5F * lane * (1.0F + erff(lane * 0.70710678F));
      return S::load(lanes);
    }
    case Activation::gelu_tanh: {
      const S::F inner =
          S::mul(x, S::fma(S::mul(x, x), S::set(0.044715F * 0.79788456F), S::set(0.79788456F)));
      return S::mul(S::mul(S::set(0.5F), x), S::add(S::set(1.0F), hyperbolic_tangent(inner)));
    }
    case Activation::relu:
      return S::max(x, S::zero());
    case Activation::relu_squared: {
      const S::F positive = S::max(x, S::zero());
      return S::mul(positive, positive);
    }
    case Activation::sigmoid:
      return S::div(S::set(1.0F), S::add(S::set(1.0F), exponential(S::sub(S::zero(), x))));
    case Activation::tanh:
      return hyperbolic_tangent(x);
  }
  return x;
}

}  // namespace
}  // namespace pensieve::hal::cpu
