// What the stream kernel does with its input and a segment of weights: the form of the input in shared
// memory, and the products of each stored format with it. Not for how weights get there.
#pragma once

#include "hal/cuda/codecs.cuh"

namespace pensieve::hal::cuda {

constexpr int kStreamWarps = 16, kStreamThreads = kStreamWarps * 32;
constexpr int kHeldQuads = 4;  // of a normalised row, by each thread

// A row of the input in shared memory. Quantized weights meet signed bytes, 32 with one {step, two sums of
// 16}; others meet f16 with one power of two for 32.
struct StagedInput {
  unsigned char* data;
  unsigned char* meta;
};

// 16-byte chunks of a quantized input are swapped in fours, so that lanes that read 64 bytes apart meet
// different banks.
__device__ __forceinline__ int chunk_place(int chunk) {
  return chunk ^ (chunk >> 3 & 3);
}

// Four neighbouring columns; eight lanes hold a group of 32 and call this together.
template <bool kQuantized>
__device__ __forceinline__ void stage_quad(const StagedInput& to, int quad, float4 v) {
  float top = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
  const unsigned octet = 0xFFU << (threadIdx.x & 24);
#pragma unroll
  for (int offset = 1; offset < 8; offset *= 2) top = fmaxf(top, __shfl_xor_sync(octet, top, offset));
  if constexpr (kQuantized) {
    const float inverse = top > 0.0F ? 127.0F / top : 0.0F;
    const std::uint32_t packed = (__float2int_rn(v.x * inverse) & 255) |
                                 (__float2int_rn(v.y * inverse) & 255) << 8 |
                                 (__float2int_rn(v.z * inverse) & 255) << 16 |
                                 static_cast<std::uint32_t>(__float2int_rn(v.w * inverse)) << 24;
    *reinterpret_cast<std::uint32_t*>(to.data + chunk_place(quad / 4) * 16 + quad % 4 * 4) = packed;
    int sum = __dp4a(static_cast<int>(packed), 0x01010101, 0);
    sum += __shfl_xor_sync(octet, sum, 1);
    sum += __shfl_xor_sync(octet, sum, 2);
    const int second = __shfl_xor_sync(octet, sum, 4);
    if (threadIdx.x % 8 == 0)
      reinterpret_cast<uint2*>(to.meta)[quad / 8] = {
          __float_as_uint(top / 127.0F),
          (static_cast<std::uint32_t>(sum) & 0xFFFFU) | static_cast<std::uint32_t>(second) << 16};
  } else {
    const std::uint32_t power = min(__float_as_uint(top) & 0x7F800000U, 0x7E800000U);
    const float inverse = __uint_as_float(0x7F000000U - power);
    reinterpret_cast<uint2*>(to.data)[quad] = {pack_half(v.x * inverse, v.y * inverse),
                                               pack_half(v.z * inverse, v.w * inverse)};
    if (threadIdx.x % 8 == 0) reinterpret_cast<float*>(to.meta)[quad / 8] = __uint_as_float(power);
  }
}

__device__ __forceinline__ float4 quad_of(const float* from, int quad, int width) {
  if (width % 4 == 0) {
    return quad * 4 < width ? reinterpret_cast<const float4*>(from)[quad] : float4{0.0F, 0.0F, 0.0F, 0.0F};
  }
  const auto at = [&](int i) { return quad * 4 + i < width ? from[quad * 4 + i] : 0.0F; };
  return {at(0), at(1), at(2), at(3)};
}

template <bool kQuantized>
__device__ __forceinline__ void stage_row(const LinearLaunch& l, int row, int stride, const StagedInput& to,
                                          const float4 (&gains)[kHeldQuads], float* shared) {
  const int width = l.raw_width, quads = stride / 4;
  const float* from = l.raw + static_cast<std::size_t>(row) * width;
  if (!l.norm.present) {
#pragma unroll 4
    for (int quad = threadIdx.x; quad < quads; quad += kStreamThreads)
      stage_quad<kQuantized>(to, quad, quad_of(from, quad, width));
    return;
  }
  float4 held[kHeldQuads];
  float squares = 0.0F;
#pragma unroll
  for (int i = 0; i < kHeldQuads; ++i) {
    const int quad = i * kStreamThreads + threadIdx.x;
    held[i] = quad < quads ? quad_of(from, quad, width) : float4{0.0F, 0.0F, 0.0F, 0.0F};
    squares += held[i].x * held[i].x + held[i].y * held[i].y + held[i].z * held[i].z + held[i].w * held[i].w;
  }
  const float inverse = rsqrtf(block_sum(squares, shared) / static_cast<float>(width) + l.norm.epsilon);
#pragma unroll
  for (int i = 0; i < kHeldQuads; ++i) {
    const int quad = i * kStreamThreads + threadIdx.x;
    if (quad >= quads) continue;
    stage_quad<kQuantized>(to, quad,
                           {held[i].x * inverse * gains[i].x, held[i].y * inverse * gains[i].y,
                            held[i].z * inverse * gains[i].z, held[i].w * inverse * gains[i].w});
  }
}

template <int R>
struct Staged {
  const unsigned char* data[R];
  const unsigned char* meta[R];
  __device__ __forceinline__ uint4 chunk(int r, int at) const {
    return *reinterpret_cast<const uint4*>(data[r] + chunk_place(at) * 16);
  }
  __device__ __forceinline__ uint2 group(int r, int at) const {
    return reinterpret_cast<const uint2*>(meta[r])[at];
  }
  __device__ __forceinline__ uint4 two_groups(int r, int at) const {
    return *reinterpret_cast<const uint4*>(meta[r] + at * 8);
  }
};

__device__ __forceinline__ int dot4(std::uint32_t weights, std::uint32_t inputs, int sum) {
  int result;
  asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(weights), "r"(inputs), "r"(sum));
  return result;
}
__device__ __forceinline__ int dot16(uint4 a, uint4 b) {
  return dot4(a.w, b.w, dot4(a.z, b.z, dot4(a.y, b.y, dot4(a.x, b.x, 0))));
}
__device__ __forceinline__ int dot16_signed(uint4 a, uint4 b) {
  int sum = __dp4a(static_cast<int>(a.x), static_cast<int>(b.x), 0);
  sum = __dp4a(static_cast<int>(a.y), static_cast<int>(b.y), sum);
  sum = __dp4a(static_cast<int>(a.z), static_cast<int>(b.z), sum);
  return __dp4a(static_cast<int>(a.w), static_cast<int>(b.w), sum);
}
__device__ __forceinline__ uint4 masked(uint4 x, std::uint32_t mask) {
  return {x.x & mask, x.y & mask, x.z & mask, x.w & mask};
}
constexpr std::uint32_t kLow = 0x0F0F0F0FU,
                        kHigh =
                            0xF0F0F0F0U;  // high nibbles stay in place: their products are 16 times as large
__device__ __forceinline__ std::uint32_t six_bits(std::uint32_t low, std::uint32_t pairs, int low_shift,
                                                  int pair_shift) {
  return (low >> low_shift & kLow) | (pairs >> pair_shift & 0x03030303U) << 4;
}
__device__ __forceinline__ uint4 six_bits(uint4 low, uint4 pairs, int low_shift, int pair_shift) {
  return {six_bits(low.x, pairs.x, low_shift, pair_shift), six_bits(low.y, pairs.y, low_shift, pair_shift),
          six_bits(low.z, pairs.z, low_shift, pair_shift), six_bits(low.w, pairs.w, low_shift, pair_shift)};
}
__device__ __forceinline__ float step_of(uint2 meta) {
  return __uint_as_float(meta.x);
}
__device__ __forceinline__ int low_sum(uint2 meta) {
  return static_cast<short>(meta.y & 0xFFFFU);
}
__device__ __forceinline__ int high_sum(uint2 meta) {
  return static_cast<short>(meta.y >> 16);
}
__device__ __forceinline__ uint4 chunk_at(const unsigned char* at) {
  return *reinterpret_cast<const uint4*>(at);
}

// Products of a segment's `columns` weights, from column `first` of the row on, with R rows of the input.
template <int R>
__device__ __forceinline__ void add_q8_0(const unsigned char* w, int columns, int first, const Staged<R>& x,
                                         float (&sums)[R]) {
  const auto* scales = reinterpret_cast<const unsigned short*>(w + columns);
#pragma unroll 4
  for (int chunk = threadIdx.x % 32; chunk < columns / 16; chunk += 32) {
    const uint4 q = chunk_at(w + chunk * 16);
    const float d = half_bits(scales[chunk / 2]);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const float step = step_of(x.group(r, first / 32 + chunk / 2));
      sums[r] += d * step * static_cast<float>(dot16_signed(q, x.chunk(r, first / 16 + chunk)));
    }
  }
}

template <Stored S, int R>
__device__ __forceinline__ void add_q4(const unsigned char* w, int columns, int first, const Staged<R>& x,
                                       float (&sums)[R]) {
#pragma unroll 2
  for (int group = threadIdx.x % 32; group < columns / 32; group += 32) {
    const uint4 q = chunk_at(w + group * 16), low = masked(q, kLow), high = masked(q, kHigh);
    float2 d;
    if constexpr (S == Stored::q4_0) {
      d = {half_bits(reinterpret_cast<const unsigned short*>(w + columns / 2)[group]), 0.0F};
    } else {
      d = half_pair(reinterpret_cast<const std::uint32_t*>(w + columns / 2)[group]);
    }
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint2 meta = x.group(r, first / 32 + group);
      const int sum = low_sum(meta) + high_sum(meta), chunk = first / 16 + group * 2;
      const int dot =
          dot16(low, x.chunk(r, chunk)) + dot16(high, x.chunk(r, chunk + 1)) / 16;  // exact: a multiple of 16
      if constexpr (S == Stored::q4_0) {
        sums[r] += d.x * step_of(meta) * static_cast<float>(dot - 8 * sum);
      } else {
        sums[r] += step_of(meta) * (d.x * static_cast<float>(dot) + d.y * static_cast<float>(sum));
      }
    }
  }
}

template <int R>
__device__ __forceinline__ void add_q4_k(const unsigned char* w, int columns, int first, const Staged<R>& x,
                                         float (&sums)[R]) {
  for (int unit = threadIdx.x % 32; unit < columns / 64; unit += 32) {
    const int pair = unit % 4;
    const unsigned char* at = w + unit / 4 * 144;
    const uint4 header = chunk_at(at), q0 = chunk_at(at + 16 + pair * 32), q1 = chunk_at(at + 32 + pair * 32);
    std::uint32_t scales, minima;
    q4_k_scales(header, pair, scales, minima);
    const float2 d = half_pair(header.x);
    const float scale0 = d.x * static_cast<float>(scales & 255),
                scale1 = d.x * 0.0625F * static_cast<float>(scales >> 8);
    const float minimum0 = d.y * static_cast<float>(minima & 255),
                minimum1 = d.y * static_cast<float>(minima >> 8);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint4 meta = x.two_groups(r, first / 32 + unit * 2);
      const uint2 near{meta.x, meta.y}, far{meta.z, meta.w};
      const int chunk = first / 16 + unit * 4;
      const int dot0 =
          dot16(masked(q0, kLow), x.chunk(r, chunk)) + dot16(masked(q1, kLow), x.chunk(r, chunk + 1));
      const int dot1 =
          dot16(masked(q0, kHigh), x.chunk(r, chunk + 2)) + dot16(masked(q1, kHigh), x.chunk(r, chunk + 3));
      sums[r] += step_of(near) * (scale0 * static_cast<float>(dot0) -
                                  minimum0 * static_cast<float>(low_sum(near) + high_sum(near))) +
                 step_of(far) * (scale1 * static_cast<float>(dot1) -
                                 minimum1 * static_cast<float>(low_sum(far) + high_sum(far)));
    }
  }
}

template <int R>
__device__ __forceinline__ void add_q6_k(const unsigned char* w, int columns, int first, const Staged<R>& x,
                                         float (&sums)[R]) {
  const unsigned char *upper = w + columns / 2, *fine = upper + columns / 4, *scales = fine + columns / 16;
  for (int unit = threadIdx.x % 32; unit < columns / 64; unit += 32) {
    // The unit's 16 bytes of upper bits serve four groups of 16 weights, a row of 32 weights apart.
    const int block = unit / 4, upper_half = unit % 4 / 2, half = unit & 1,
              group = first / 32 + block * 8 + upper_half * 4;
    const unsigned char* low = w + block * 128 + upper_half * 64 + half * 16;
    const uint4 q0 = chunk_at(low), q1 = chunk_at(low + 32),
                pairs = chunk_at(upper + block * 64 + upper_half * 32 + half * 16);
    const uint2 bytes = *reinterpret_cast<const uint2*>(fine + block * 16 + upper_half * 8);
    const float d = half_bits(reinterpret_cast<const unsigned short*>(scales)[block]);
    const std::uint32_t fine0 = bytes.x >> 8 * half, fine1 = bytes.y >> 8 * half;
    const float factors[4] = {d * static_cast<float>(static_cast<signed char>(fine0)),
                              d * static_cast<float>(static_cast<signed char>(fine0 >> 16)),
                              d * static_cast<float>(static_cast<signed char>(fine1)),
                              d * static_cast<float>(static_cast<signed char>(fine1 >> 16))};
    const uint4 weights[4] = {six_bits(q0, pairs, 0, 0), six_bits(q1, pairs, 0, 2), six_bits(q0, pairs, 4, 4),
                              six_bits(q1, pairs, 4, 6)};
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint4 near = x.two_groups(r, group), far = x.two_groups(r, group + 2);
      const uint2 metas[4] = {{near.x, near.y}, {near.z, near.w}, {far.x, far.y}, {far.z, far.w}};
#pragma unroll
      for (int g = 0; g < 4; ++g) {
        const int sum = half != 0 ? high_sum(metas[g]) : low_sum(metas[g]);
        const int dot = dot16(weights[g], x.chunk(r, (group + g) * 2 + half));
        sums[r] += step_of(metas[g]) * factors[g] * static_cast<float>(dot - 32 * sum);
      }
    }
  }
}

template <Stored S, int R>
__device__ __forceinline__ void add_plain(const unsigned char* w, int columns, int first, const Staged<R>& x,
                                          float (&sums)[R]) {
#pragma unroll(R == 1 ? 4 : 1)
  for (int unit = threadIdx.x % 32; unit < columns / 8; unit += 32) {
    const uint4 raw = chunk_at(w + unit * 16);
    const std::uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
    float2 weights[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) weights[i] = S == Stored::f16 ? half_pair(words[i]) : bfloat_pair(words[i]);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int at = first / 8 + unit;
      const uint4 halves = chunk_at(x.data[r] + at * 16);
      const float power = reinterpret_cast<const float*>(x.meta[r])[at / 4];
      const float2 a = half_pair(halves.x), b = half_pair(halves.y), c = half_pair(halves.z),
                   d = half_pair(halves.w);
      const float even = weights[0].x * a.x + weights[1].x * b.x + weights[2].x * c.x + weights[3].x * d.x,
                  odd = weights[0].y * a.y + weights[1].y * b.y + weights[2].y * c.y + weights[3].y * d.y;
      sums[r] += power * (even + odd);
    }
  }
}

template <bool kQuantized, int R>
__device__ __forceinline__ void add_segment(Stored stored, const unsigned char* w, int columns, int first,
                                            const Staged<R>& x, float (&sums)[R]) {
  if constexpr (kQuantized) {
    switch (stored) {
      case Stored::q4_k:
        return add_q4_k(w, columns, first, x, sums);
      case Stored::q6_k:
        return add_q6_k(w, columns, first, x, sums);
      case Stored::q8_0:
        return add_q8_0(w, columns, first, x, sums);
      case Stored::q4_0:
        return add_q4<Stored::q4_0>(w, columns, first, x, sums);
      default:
        return add_q4<Stored::q4_1>(w, columns, first, x, sums);
    }
  } else if (stored == Stored::f16) {
    add_plain<Stored::f16>(w, columns, first, x, sums);
  } else {
    add_plain<Stored::bf16>(w, columns, first, x, sums);
  }
}

}  // namespace pensieve::hal::cuda
