// Linear kernels over quantized weights: int8 products that are exact in 32 bits, scaled block by block in
// f32. Include after one simd_*.h. One Format for each WeightKind that holds integers; layouts in README.md.
#pragma once

#include "hal/cpu/linear_kernel.h"

namespace pensieve::hal::cpu {
namespace {

inline constexpr int kVectorBytes = 4 * Simd::kLanes;  // one quad (4 neighbouring columns) of every lane

// Quads 0..3 lie in the low, 4..7 in the high nibbles.
inline void unpack_nibbles(const std::uint8_t* p, Simd::I w[8]) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const Simd::I both = Simd::load_int(p + v * kVectorBytes);
    w[v] = Simd::low4(both);
    w[v + 4] = Simd::high4(both);
  }
}

// Blocks of 32 columns: [scale f16][minimum f16 when kMinimum][quants], with kBits 4 or 8.
template <int kBits, bool kMinimum>
struct Blocks {
  using Line = QuantLine;
  static constexpr int kHeader = (kMinimum ? 4 : 2) * Simd::kLanes;
  static constexpr int kBlockBytes = kHeader + kBits * kVectorBytes;

  template <int R>
  static inline void tile(const std::uint8_t* block, const QuantLine* x, int blocks, Simd::F sum[R]) {
    using S = Simd;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sum[r] = S::zero();
    for (int b = 0; b < blocks; ++b, block += kBlockBytes, x += R) {
      S::I w[8];
      if constexpr (kBits == 4) {
        unpack_nibbles(block + kHeader, w);
      } else {
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) w[j] = S::load_int(block + kHeader + j * kVectorBytes);
      }
      const S::F scale = S::load_half(block);
      S::F minimum = scale;
      if constexpr (kMinimum) minimum = S::load_half(block + 2 * S::kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const QuantLine& line = x[r];
        // Without a minimum, nibbles are stored with offset 8; bytes have offset 128 where products want them
        // unsigned.
        const int start = kBits == 4 ? (kMinimum ? 0 : line.minus8) : (S::kUnsignedBytes ? line.minus128 : 0);
        const S::F product = S::convert(S::dot<kBits, 8>(w, line.q, start));
        sum[r] = S::fma(S::mul(product, scale), S::set(line.scale), sum[r]);
        if constexpr (kMinimum) sum[r] = S::fma(minimum, S::set(line.scaled_sum), sum[r]);
      }
    }
  }
};

// q4_k: superblocks of 8 blocks: [d f16][dmin f16][8 x scale u8][8 x minimum u8][8 x nibbles];
// weight = d * scale * q - dmin * minimum.
struct SuperNibbles {
  using Line = QuantLine;
  static constexpr int kScales = 4 * Simd::kLanes, kMinima = kScales + 8 * Simd::kLanes;
  static constexpr int kQuants = kMinima + 8 * Simd::kLanes, kBytes = kQuants + 32 * kVectorBytes;

  template <int R>
  static inline void tile(const std::uint8_t* super, const QuantLine* x, int blocks, Simd::F sum[R]) {
    using S = Simd;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sum[r] = S::zero();
    for (int b = 0; b < blocks; b += 8, super += kBytes) {
      const S::F d = S::load_half(super), least = S::sub(S::zero(), S::load_half(super + 2 * S::kLanes));
      for (int s = 0; s < 8; ++s, x += R) {
        S::I w[8];
        unpack_nibbles(super + kQuants + s * 4 * kVectorBytes, w);
        const S::F scale = S::mul(d, S::load_u8(super + kScales + s * S::kLanes));
        const S::F minimum = S::mul(least, S::load_u8(super + kMinima + s * S::kLanes));
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const S::F product = S::convert(S::dot<4, 8>(w, x[r].q, 0));
          sum[r] = S::fma(S::mul(product, scale), S::set(x[r].scale), sum[r]);
          sum[r] = S::fma(minimum, S::set(x[r].scaled_sum), sum[r]);
        }
      }
    }
  }
};

// q6_k: superblocks of 8 blocks: [d f16][16 x scale i8][8 x (low nibbles, two high bits)]; weight = d * scale
// * (q - 32), a scale for each 16 columns.
struct SuperSixBits {
  using Line = QuantLine;
  static constexpr int kScales = 2 * Simd::kLanes, kQuants = kScales + 16 * Simd::kLanes;
  static constexpr int kBlock = 6 * kVectorBytes, kBytes = kQuants + 8 * kBlock;

  static inline void unpack(const std::uint8_t* p, Simd::I w[8]) {
    using S = Simd;
    unpack_nibbles(p, w);
    const S::I first = S::load_int(p + 4 * kVectorBytes), second = S::load_int(p + 5 * kVectorBytes);
    w[0] = S::either(w[0], S::two_bits<0>(first));
    w[1] = S::either(w[1], S::two_bits<1>(first));
    w[2] = S::either(w[2], S::two_bits<2>(first));
    w[3] = S::either(w[3], S::two_bits<3>(first));
    w[4] = S::either(w[4], S::two_bits<0>(second));
    w[5] = S::either(w[5], S::two_bits<1>(second));
    w[6] = S::either(w[6], S::two_bits<2>(second));
    w[7] = S::either(w[7], S::two_bits<3>(second));
  }

  template <int R>
  static inline void tile(const std::uint8_t* super, const QuantLine* x, int blocks, Simd::F sum[R]) {
    using S = Simd;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sum[r] = S::zero();
    for (int b = 0; b < blocks; b += 8, super += kBytes) {
      const S::F d = S::load_half(super);
      for (int s = 0; s < 8; ++s, x += R) {
        S::I w[8];
        unpack(super + kQuants + s * kBlock, w);
        const S::F low = S::mul(d, S::load_i8(super + kScales + 2 * s * S::kLanes));
        const S::F high = S::mul(d, S::load_i8(super + kScales + (2 * s + 1) * S::kLanes));
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const QuantLine& line = x[r];
          S::F product = S::mul(S::convert(S::dot<6, 4>(w, line.q, line.minus32[0])), low);
          product = S::fma(S::convert(S::dot<6, 4>(w + 4, line.q + 16, line.minus32[1])), high, product);
          sum[r] = S::fma(product, S::set(line.scale), sum[r]);
        }
      }
    }
  }
};

inline void use_integer_linear(Kernels& table) {
  table.unsigned_bytes = Simd::kUnsignedBytes;
  table.linear[static_cast<int>(WeightKind::nibble)] = &linear<Blocks<4, false>>;
  table.linear[static_cast<int>(WeightKind::nibble_min)] = &linear<Blocks<4, true>>;
  table.linear[static_cast<int>(WeightKind::byte)] = &linear<Blocks<8, false>>;
  table.linear[static_cast<int>(WeightKind::byte_min)] = &linear<Blocks<8, true>>;
  table.linear[static_cast<int>(WeightKind::q4_k)] = &linear<SuperNibbles>;
  table.linear[static_cast<int>(WeightKind::q6_k)] = &linear<SuperSixBits>;
}

}  // namespace
}  // namespace pensieve::hal::cpu
