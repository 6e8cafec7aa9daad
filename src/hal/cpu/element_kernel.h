// Kernels over single rows: norms, activations, rotary positions, sums, and the panels that linear kernels
// read. Include after one simd_*.h. Each row is computed alone and in one order, whatever batch it comes in.
#pragma once

#include "hal/cpu/simd_math.h"

namespace pensieve::hal::cpu {
namespace {

inline void quantize_block(const float* x, QuantLine& line) {
  using S = Simd;
  constexpr int kVectors = 32 / S::kLanes;
  S::F most = S::zero();
  S::F values[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    values[v] = S::load(x + v * S::kLanes);
    most = S::max(most, S::absolute(values[v]));
  }
  const float largest = S::largest(most);
  const float inverse = largest > 0.0F ? 127.0F / largest : 0.0F;
  float sums[2];
  for (int half = 0; half < 2; ++half) {
    S::F sum = S::zero();
    for (int v = half * kVectors / 2; v < (half + 1) * kVectors / 2; ++v) {
      const S::F rounded = S::round(S::mul(values[v], S::set(inverse)));
      S::store_i8(line.q + v * S::kLanes, rounded);
      sum = S::add(sum, rounded);
    }
    sums[half] = S::sum(sum);
  }
  line.scale = largest / 127.0F;
  line.scaled_sum = line.scale * (sums[0] + sums[1]);
  const int low = static_cast<int>(sums[0]), high = static_cast<int>(sums[1]);
  line.minus8 = -8 * (low + high);
  line.minus128 = -128 * (low + high);
  line.minus32[0] = -32 * low;
  line.minus32[1] = -32 * high;
}

inline void quantize(const float* x, int columns, QuantLine* out, int stride) {
  for (int k = 0; k < columns; k += 32, out += stride) quantize_block(x + k, *out);
}

inline void copy_lines(const float* x, int columns, FloatLine* out, int stride) {
  for (int k = 0; k < columns; k += 16, out += stride) {
    for (int i = 0; i < 16; ++i) out->x[i] = k + i < columns ? x[k + i] : 0.0F;
  }
}

// Calls f(vector index's first element, count) over `count` elements, count < lanes only at the end.
template <class F>
inline void each_vector(std::int64_t count, F f) {
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= count; i += Simd::kLanes) f(i, Simd::kLanes);
  if (i < count) f(i, static_cast<int>(count - i));
}
inline Simd::F load_some(const float* p, int count) {
  return count == Simd::kLanes ? Simd::load(p) : Simd::load_part(p, count);
}
inline void store_some(float* p, Simd::F x, int count) {
  if (count == Simd::kLanes) {
    Simd::store(p, x);
  } else {
    Simd::store_part(p, x, count);
  }
}

inline void norm(const NormCall& call, const float* x, float* out) {
  using S = Simd;
  const int width = call.group_width;
  for (int at = 0; at < call.width; at += width, x += width, out += width) {
    float mean = 0.0F;
    if (call.layer) {
      S::F sum = S::zero();
      each_vector(width, [&](std::int64_t i, int n) { sum = S::add(sum, load_some(x + i, n)); });
      mean = S::sum(sum) / static_cast<float>(width);
    }
    S::F squares = S::zero();
    each_vector(width, [&](std::int64_t i, int n) {
      S::F centred = load_some(x + i, n);
      if (call.layer) {
        alignas(64) float part[S::kLanes];
        S::store(part, S::sub(centred, S::set(mean)));
        centred = load_some(part, n);  // the padding of a last vector counts as 0, not as -mean
      }
      squares = S::fma(centred, centred, squares);
    });
    const float inverse = 1.0F / sqrtf(S::sum(squares) / static_cast<float>(width) + call.epsilon);
    each_vector(width, [&](std::int64_t i, int n) {
      S::F y = S::mul(S::sub(load_some(x + i, n), S::set(mean)), S::set(inverse));
      if (call.weight != nullptr) y = S::mul(y, load_some(call.weight + i, n));
      if (call.bias != nullptr) y = S::add(y, load_some(call.bias + i, n));
      store_some(out + i, y, n);
    });
  }
}

inline void add(const float* a, const float* b, float* out, std::int64_t count) {
  each_vector(count, [&](std::int64_t i, int n) {
    store_some(out + i, Simd::add(load_some(a + i, n), load_some(b + i, n)), n);
  });
}

inline void scale(const float* x, float factor, float* out, std::int64_t count) {
  each_vector(count, [&](std::int64_t i, int n) {
    store_some(out + i, Simd::mul(load_some(x + i, n), Simd::set(factor)), n);
  });
}

inline void activate(Activation kind, const float* a, const float* b, float* out, std::int64_t count) {
  each_vector(count, [&](std::int64_t i, int n) {
    Simd::F y = activated(kind, load_some(a + i, n));
    if (b != nullptr) y = Simd::mul(y, load_some(b + i, n));
    store_some(out + i, y, n);
  });
}

inline void rope(float* x, int heads, int head_width, int rotary_width, bool interleaved,
                 const float* cosines, const float* sines) {
  using S = Simd;
  const int half = rotary_width / 2;
  for (int head = 0; head < heads; ++head, x += head_width) {
    if (interleaved) {  // tables hold each angle twice, the first sine negated
      each_vector(rotary_width, [&](std::int64_t i, int n) {
        const S::F both = load_some(x + i, n);
        const S::F turned = S::mul(S::swap_pairs(both), load_some(sines + i, n));
        store_some(x + i, S::fma(both, load_some(cosines + i, n), turned), n);
      });
    } else {
      each_vector(half, [&](std::int64_t i, int n) {
        const S::F a = load_some(x + i, n), b = load_some(x + half + i, n);
        const S::F c = load_some(cosines + i, n), s = load_some(sines + i, n);
        store_some(x + i, S::sub(S::mul(a, c), S::mul(b, s)), n);
        store_some(x + half + i, S::fma(b, c, S::mul(a, s)), n);
      });
    }
  }
}

inline void use_elements(Kernels& table) {
  table.lanes = Simd::kLanes;
  table.max_tile = Simd::kMaxTile;
  table.quantize = &quantize;
  table.copy_lines = &copy_lines;
  table.norm = &norm;
  table.add = &add;
  table.scale = &scale;
  table.activate = &activate;
  table.rope = &rope;
}

}  // namespace
}  // namespace pensieve::hal::cpu
