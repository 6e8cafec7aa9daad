// What integer and float linear kernels share: the walk over groups and tiles, and what happens to a finished
// tile. Include after one simd_*.h. A Format provides `using Line`, `kBytes(blocks)` and
//   template <int R> static void tile(const uint8_t* group, const Line* x, int blocks, Simd::F sum[R]);
// whose sums are taken in the order of the blocks whatever R is, so that a row's result does not depend on
// its neighbours.
#pragma once

#include "hal/cpu/simd_math.h"

namespace pensieve::hal::cpu {
namespace {

// Rows of the next tile: the largest power of two that is left, at most the instruction set's.
inline int tile_rows(int left) {
  int rows = Simd::kMaxTile;
  while (rows > left) rows /= 2;
  return rows;
}

// Applies bias, activation, gate and residual to one row of a group and stores it.
inline void finish(const LinearCall& call, int group, int row, Simd::F sum, Simd::F paired) {
  using S = Simd;
  const int first = group * S::kLanes;
  const int count = call.outputs - first < S::kLanes ? call.outputs - first : S::kLanes;
  const bool whole = count == S::kLanes;
  const auto load = [&](const float* p) {
    return whole ? S::load(p + first) : S::load_part(p + first, count);
  };
  if (call.bias != nullptr) sum = S::add(sum, load(call.bias));
  if (call.activation != Activation::none) sum = activated(call.activation, sum);
  if (call.paired != nullptr) {
    if (call.paired_bias != nullptr) paired = S::add(paired, load(call.paired_bias));
    sum = S::mul(sum, paired);
  }
  if (call.residual != nullptr) sum = S::add(sum, load(call.residual + row * call.residual_stride));
  float* out = call.out + row * call.out_stride + first;
  if (whole) {
    S::store(out, sum);
  } else {
    S::store_part(out, sum, count);
  }
}

template <class Format, int R>
void tile_of_group(const LinearCall& call, int group, int row) {
  using S = Simd;
  const auto* x =
      static_cast<const typename Format::Line*>(call.panel) + static_cast<std::int64_t>(row) * call.blocks;
  const std::size_t at = static_cast<std::size_t>(group) * call.group_bytes;
  S::F sum[R];
  Format::template tile<R>(call.weight + at, x, call.blocks, sum);
  if (call.paired != nullptr) {
    S::F paired[R];
    Format::template tile<R>(call.paired + at, x, call.blocks, paired);
    for (int r = 0; r < R; ++r) finish(call, group, row + r, sum[r], paired[r]);
  } else {
    for (int r = 0; r < R; ++r) finish(call, group, row + r, sum[r], sum[r]);
  }
}

template <class Format>
void linear(const LinearCall& call) {
  for (int group = call.group_begin; group < call.group_end; ++group) {
    for (int row = 0; row < call.rows;) {
      const int rows = tile_rows(call.rows - row);
      if constexpr (Simd::kMaxTile >= 16) {
        if (rows == 16) tile_of_group<Format, 16>(call, group, row);
        if (rows == 8) tile_of_group<Format, 8>(call, group, row);
      }
      if (rows == 4) tile_of_group<Format, 4>(call, group, row);
      if (rows == 2) tile_of_group<Format, 2>(call, group, row);
      if (rows == 1) tile_of_group<Format, 1>(call, group, row);
      row += rows;
    }
  }
}

}  // namespace
}  // namespace pensieve::hal::cpu
