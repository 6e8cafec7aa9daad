// Attention over paged keys and values: one split of positions for a few query vectors of one key head, and
// the merge of splits. Include after one simd_*.h. Within a split: all scores, their maximum, exponentials,
// then the weighted values in the order of positions; the order is the same for every tile size and page
// size.
#pragma once

#include "hal/cpu/simd_math.h"

namespace pensieve::hal::cpu {
namespace {

// Keys: tokens in groups of L. f32, f16: [column][L]. q8_0: for 32 columns [scale f16 L][32][L] int8.
// Values: a row for each token. f32, f16: [column]. q8_0: for 32 columns [scale f32][32] int8.
template <KvKind kind>
struct Kv {
  static constexpr bool kQuantized = kind == KvKind::q8_0;
  static constexpr int kBytes = kind == KvKind::f32 ? 4 : kind == KvKind::f16 ? 2 : 1;
  static inline Simd::F load(const std::uint8_t* p) {
    if constexpr (kind == KvKind::f32) return Simd::load(reinterpret_cast<const float*>(p));
    if constexpr (kind == KvKind::f16) return Simd::load_half(p);
    if constexpr (kind == KvKind::q8_0) return Simd::load_i8(p);
  }
};
inline constexpr int kKeyBlock = 2 * Simd::kLanes + 32 * Simd::kLanes;  // q8_0
inline constexpr int kValueBlock = 4 + 32;                              // q8_0

template <KvKind kind, int R>
inline void score_group(const std::uint8_t* keys, int width, const FloatLine* queries, Simd::F score[R]) {
  using S = Simd;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) score[r] = S::zero();
  if constexpr (Kv<kind>::kQuantized) {
    for (int d = 0; d < width; d += 32, keys += kKeyBlock) {
      S::F part[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) part[r] = S::zero();
      const int count = width - d < 32 ? width - d : 32;
      for (int i = 0; i < count; ++i) {
        const S::F key = S::load_i8(keys + 2 * S::kLanes + i * S::kLanes);
        const FloatLine* line = queries + (d + i) / 16 * R;
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) part[r] = S::fma(key, S::set(line[r].x[i % 16]), part[r]);
      }
      const S::F scale = S::load_half(keys);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) score[r] = S::fma(part[r], scale, score[r]);
    }
  } else {
    for (int d = 0; d < width; d += 16, queries += R) {
      const int count = width - d < 16 ? width - d : 16;
      for (int i = 0; i < count; ++i, keys += Kv<kind>::kBytes * S::kLanes) {
        const S::F key = Kv<kind>::load(keys);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) score[r] = S::fma(key, S::set(queries[r].x[i]), score[r]);
      }
    }
  }
}

// Where a position's score lies in its vector's row: counted from the split, whatever pages it spans, after
// room for the positions before `first` that share its group of keys.
inline int score_index(int position) {
  return position % kSplitTokens + Simd::kLanes;
}

template <KvKind kind, int R>
inline void score_split(const AttendCall& call) {
  using S = Simd;
  const KvLayout& layout = *call.layout;
  const int split = call.first / kSplitTokens * kSplitTokens;
  int start = call.first / layout.page_tokens * layout.page_tokens;
  int slot = (call.first - start) / S::kLanes * S::kLanes;
  for (int page = 0; start < call.end; start += layout.page_tokens, ++page, slot = 0) {
    for (; slot < layout.page_tokens && start + slot < call.end; slot += S::kLanes) {
      S::F score[R];
      const auto group = static_cast<std::size_t>(slot / S::kLanes);
      score_group<kind, R>(call.keys[page] + group * layout.key_group_bytes, layout.key_width, call.queries,
                           score);
      float* out = call.scores + (start + slot - split + S::kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        S::F scaled = S::mul(score[r], S::set(call.scale));
        if (call.soft_cap > 0.0F)
          scaled = S::mul(S::set(call.soft_cap), hyperbolic_tangent(S::div(scaled, S::set(call.soft_cap))));
        // A page's last group may hang over into the next page's scores, which are written later.
        S::store(out + r * kScoreStride, scaled);
      }
    }
  }
}

// Turns the scores of vector r into weights; positions that it does not see weigh 0. Sums run over whole
// vectors of scores, counted from the split's first position.
inline void weigh(const AttendCall& call, int r) {
  using S = Simd;
  const float nothing = -__builtin_inff();
  const int split = call.first / kSplitTokens * kSplitTokens;
  const int low = (call.lows[r] > call.first ? call.lows[r] : call.first) - split;
  const int end = (call.highs[r] + 1 < call.end ? call.highs[r] + 1 : call.end) - split;
  const int from = (call.first - split) / S::kLanes * S::kLanes, to = call.end - split;
  float* scores = call.scores + r * kScoreStride + S::kLanes;
  S::F most = S::set(nothing);
  for (int i = from; i < to; i += S::kLanes) {
    if (i < low || i + S::kLanes > end) {
      for (int lane = i; lane < i + S::kLanes; ++lane) {
        if (lane < low || lane >= end) scores[lane] = nothing;
      }
    }
    most = S::max(most, S::load(scores + i));
  }
  const float maximum = S::largest(most);
  call.maxima[r] = maximum;
  S::F sum = S::zero();
  for (int i = from; i < to; i += S::kLanes) {
    const S::F weight =
        maximum > nothing ? exponential(S::sub(S::load(scores + i), S::set(maximum))) : S::zero();
    S::store(scores + i, weight);
    sum = S::add(sum, weight);
  }
  call.sums[r] = S::sum(sum);
}

// Adds weight * value to D vectors of columns of R outputs.
template <KvKind kind, int R, int D>
inline void gather_values(const AttendCall& call, int column) {
  using S = Simd;
  const KvLayout& layout = *call.layout;
  S::F sum[R * D];
#pragma GCC unroll 16
  for (int i = 0; i < R * D; ++i) sum[i] = S::zero();
  int start = call.first / layout.page_tokens * layout.page_tokens;
  for (int page = 0; start < call.end; start += layout.page_tokens, ++page) {
    const int begin = start < call.first ? call.first - start : 0;
    const int end = call.end - start < layout.page_tokens ? call.end - start : layout.page_tokens;
    const std::uint8_t* row = call.values[page] + static_cast<std::size_t>(begin) * layout.value_row_bytes;
    const float* weights = call.scores + score_index(start + begin);
    for (int slot = begin; slot < end; ++slot, ++weights, row += layout.value_row_bytes) {
#pragma GCC unroll 4
      for (int v = 0; v < D; ++v) {
        const int at = column + v * S::kLanes;
        S::F value;
        if constexpr (Kv<kind>::kQuantized) {
          const std::uint8_t* block = row + at / 32 * kValueBlock;
          float scale;
          __builtin_memcpy(&scale, block, 4);
          value = S::mul(S::load_i8(block + 4 + at % 32), S::set(scale));
        } else {
          value = Kv<kind>::load(row + at * Kv<kind>::kBytes);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
          sum[v * R + r] = S::fma(value, S::set(weights[r * kScoreStride]), sum[v * R + r]);
      }
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < D; ++v) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
      S::store(call.outs + r * call.out_stride + column + v * S::kLanes, sum[v * R + r]);
  }
}

template <KvKind kind, int R>
inline void attend_tile(const AttendCall& call) {
  constexpr int kRegisters = Simd::kLanes == 16 ? 16 : 8;
  constexpr int D = R >= kRegisters ? 1 : kRegisters / R > 4 ? 4 : kRegisters / R;
  score_split<kind, R>(call);
  for (int r = 0; r < R; ++r) weigh(call, r);
  int column = 0;
  for (; column + D * Simd::kLanes <= call.layout->value_width; column += D * Simd::kLanes)
    gather_values<kind, R, D>(call, column);
  for (; column < call.layout->value_width; column += Simd::kLanes) gather_values<kind, R, 1>(call, column);
}

template <KvKind kind>
void attend(const AttendCall& call) {
  if (call.tile == 1) attend_tile<kind, 1>(call);
  if (call.tile == 2) attend_tile<kind, 2>(call);
  if (call.tile == 4) attend_tile<kind, 4>(call);
  if (call.tile == 8) attend_tile<kind, 8>(call);
}

inline void merge(float* maximum, float* sum, float* out, float later_maximum, float later_sum,
                  const float* later_out, int width) {
  using S = Simd;
  if (!(later_maximum > -__builtin_inff())) return;
  const float most = *maximum > later_maximum ? *maximum : later_maximum;
  alignas(64) float factors[S::kLanes];
  S::store(factors, exponential(S::set(*maximum - most)));
  const float keep = *maximum > -__builtin_inff() ? factors[0] : 0.0F;
  S::store(factors, exponential(S::set(later_maximum - most)));
  const float take = factors[0];
  *maximum = most;
  *sum = *sum * keep + later_sum * take;
  for (int i = 0; i < width; i += S::kLanes) {
    S::store(out + i, S::fma(S::load(later_out + i), S::set(take), S::mul(S::load(out + i), S::set(keep))));
  }
}

// Scale of up to 32 values kept as int8.
inline float byte_scale(const float* x, int count) {
  float most = 0.0F;
  for (int i = 0; i < count; ++i) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
  return most / 127.0F;
}

template <KvKind kind>
void store_key(const KvLayout& layout, const float* key, std::uint8_t* keys, int slot) {
  using S = Simd;
  std::uint8_t* group = keys + static_cast<std::size_t>(slot / S::kLanes) * layout.key_group_bytes;
  const int lane = slot % S::kLanes;
  alignas(64) std::uint8_t lanes[64];
  for (int d = 0; d < layout.key_width; d += 32) {
    const int count = layout.key_width - d < 32 ? layout.key_width - d : 32;
    if constexpr (kind == KvKind::q8_0) {
      S::store_half(lanes, S::set(byte_scale(key + d, count)));
      __builtin_memcpy(group + 2 * lane, lanes, 2);
      float scale[S::kLanes];
      S::store(scale, S::load_half(lanes));  // the scale as readers will see it
      const float inverse = scale[0] > 0.0F ? 1.0F / scale[0] : 0.0F;
      for (int i = 0; i < count; ++i) {
        S::store_i8(reinterpret_cast<std::int8_t*>(lanes),
                    S::min(S::set(key[d + i] * inverse), S::set(127.0F)));
        group[2 * S::kLanes + i * S::kLanes + lane] = lanes[0];
      }
      group += kKeyBlock;
    } else {
      for (int i = 0; i < count; i += S::kLanes) {
        const int some = count - i < S::kLanes ? count - i : S::kLanes;
        const S::F x = some == S::kLanes ? S::load(key + d + i) : S::load_part(key + d + i, some);
        if constexpr (kind == KvKind::f16) {
          S::store_half(lanes, x);
        } else {
          S::store(reinterpret_cast<float*>(lanes), x);
        }
        constexpr int kBytes = Kv<kind>::kBytes;
        for (int j = 0; j < some; ++j)
          __builtin_memcpy(group + static_cast<std::size_t>((d + i + j) * S::kLanes + lane) * kBytes,
                           lanes + j * kBytes, kBytes);
      }
    }
  }
}

template <KvKind kind>
void store_value(const KvLayout& layout, const float* value, std::uint8_t* values, int slot) {
  using S = Simd;
  std::uint8_t* row = values + static_cast<std::size_t>(slot) * layout.value_row_bytes;
  for (int d = 0; d < layout.value_width; d += 32) {
    const int count = layout.value_width - d < 32 ? layout.value_width - d : 32;
    const float scale = kind == KvKind::q8_0 ? byte_scale(value + d, count) : 0.0F;
    if constexpr (kind == KvKind::q8_0) __builtin_memcpy(row + d / 32 * kValueBlock, &scale, 4);
    for (int i = 0; i < count; i += S::kLanes) {
      const int some = count - i < S::kLanes ? count - i : S::kLanes;
      const S::F x = some == S::kLanes ? S::load(value + d + i) : S::load_part(value + d + i, some);
      if constexpr (kind == KvKind::q8_0) {
        const S::F inverse = S::set(scale > 0.0F ? 1.0F / scale : 0.0F);
        S::store_i8(reinterpret_cast<std::int8_t*>(row + d / 32 * kValueBlock + 4 + i), S::mul(x, inverse));
      } else if constexpr (kind == KvKind::f16) {
        S::store_half(row + 2 * (d + i), x);
      } else {
        S::store(reinterpret_cast<float*>(row) + d + i, x);
      }
    }
  }
}

template <KvKind kind>
inline void use_kv(Kernels& table) {
  table.attend[static_cast<int>(kind)] = &attend<kind>;
  table.store_key[static_cast<int>(kind)] = &store_key<kind>;
  table.store_value[static_cast<int>(kind)] = &store_value<kind>;
}

inline void use_attention(Kernels& table) {
  use_kv<KvKind::f32>(table);
  use_kv<KvKind::f16>(table);
  use_kv<KvKind::q8_0>(table);
  table.merge = &merge;
}

}  // namespace
}  // namespace pensieve::hal::cpu
