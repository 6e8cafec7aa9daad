// Linear kernels over f32, f16 and bf16 weights: widened in registers, multiplied and added in f32 in the
// order of columns. Include after one simd_*.h. A group holds, for each column, the weights of its L outputs.
#pragma once

#include "hal/cpu/linear_kernel.h"

namespace pensieve::hal::cpu {
namespace {

struct SingleLoad {
  static constexpr int kBytes = 4;
  static inline Simd::F load(const std::uint8_t* p) { return Simd::load(reinterpret_cast<const float*>(p)); }
};
struct HalfLoad {
  static constexpr int kBytes = 2;
  static inline Simd::F load(const std::uint8_t* p) { return Simd::load_half(p); }
};
struct BfloatLoad {
  static constexpr int kBytes = 2;
  static inline Simd::F load(const std::uint8_t* p) { return Simd::load_bfloat(p); }
};

template <class Load>
struct Columns {
  using Line = FloatLine;
  static constexpr int kStep = Load::kBytes * Simd::kLanes;

  // G groups and R rows at once: G * R independent sums hide the latency of each.
  template <int R, int G>
  static inline void tile(const std::uint8_t* group, std::size_t group_bytes, const FloatLine* x, int blocks,
                          Simd::F sum[R * G]) {
    using S = Simd;
#pragma GCC unroll 16
    for (int i = 0; i < R * G; ++i) sum[i] = S::zero();
    for (int b = 0; b < blocks; ++b, x += R) {
      for (int k = 0; k < 16; ++k, group += kStep) {
#pragma GCC unroll 8
        for (int g = 0; g < G; ++g) {
          const S::F w = Load::load(group + static_cast<std::size_t>(g) * group_bytes);
#pragma GCC unroll 16
          for (int r = 0; r < R; ++r) sum[g * R + r] = S::fma(w, S::set(x[r].x[k]), sum[g * R + r]);
        }
      }
    }
  }

  template <int R>
  static inline void tile(const std::uint8_t* group, const FloatLine* x, int blocks, Simd::F sum[R]) {
    tile<R, 1>(group, 0, x, blocks, sum);
  }
};

template <class Load>
void float_linear(const LinearCall& call) {
  constexpr int G = Simd::kFloatGroups;
  LinearCall rest = call;
  if (call.rows == 1) {
    const auto* x = static_cast<const FloatLine*>(call.panel);
    while (rest.group_begin + G <= call.group_end) {
      const std::size_t at = static_cast<std::size_t>(rest.group_begin) * call.group_bytes;
      Simd::F sum[G], paired[G];
      Columns<Load>::template tile<1, G>(call.weight + at, call.group_bytes, x, call.blocks, sum);
      if (call.paired != nullptr)
        Columns<Load>::template tile<1, G>(call.paired + at, call.group_bytes, x, call.blocks, paired);
      for (int g = 0; g < G; ++g)
        finish(call, rest.group_begin + g, 0, sum[g], call.paired != nullptr ? paired[g] : sum[g]);
      rest.group_begin += G;
    }
  }
  linear<Columns<Load>>(rest);
}

inline void use_float_linear(Kernels& table) {
  table.linear[static_cast<int>(WeightKind::f32)] = &float_linear<SingleLoad>;
  table.linear[static_cast<int>(WeightKind::f16)] = &float_linear<HalfLoad>;
  table.linear[static_cast<int>(WeightKind::bf16)] = &float_linear<BfloatLoad>;
}

}  // namespace
}  // namespace pensieve::hal::cpu
