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

// Loads from shared memory by address; those of a ring's slot may not move past its barrier.
__device__ __forceinline__ uint4 shared16(std::uint32_t at) {
  uint4 v;
  asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "r"(at));
  return v;
}
__device__ __forceinline__ uint2 shared8(std::uint32_t at) {
  uint2 v;
  asm volatile("ld.shared.v2.u32 {%0,%1}, [%2];" : "=r"(v.x), "=r"(v.y) : "r"(at));
  return v;
}
__device__ __forceinline__ std::uint32_t shared4(std::uint32_t at) {
  std::uint32_t v;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(at));
  return v;
}
__device__ __forceinline__ unsigned short shared2(std::uint32_t at) {
  unsigned short v;
  asm volatile("ld.shared.u16 %0, [%1];" : "=h"(v) : "r"(at));
  return v;
}

// The staged rows as shared addresses, moved on to a segment's first column.
template <int R>
struct Staged {
  std::uint32_t data[R], meta[R];
  template <bool kQuantized>
  __device__ __forceinline__ Staged from(int column) const {
    Staged moved;
#pragma unroll
    for (int r = 0; r < R; ++r) {
      moved.data[r] = data[r] + column * (kQuantized ? 1 : 2);
      moved.meta[r] = meta[r] + column / 32 * (kQuantized ? 8 : 4);
    }
    return moved;
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

// Products of a segment's `columns` weights with R rows of the input, which start at the segment's first
// column, a multiple of 1024: so the swap of a lane's chunks does not depend on the segment.
template <int R>
__device__ __forceinline__ void add_q8_0(std::uint32_t w, int columns, const Staged<R>& x, float (&sums)[R]) {
  const int lane = threadIdx.x % 32, swap = (chunk_place(lane) - lane) * 16;
#pragma unroll 4
  for (int chunk = lane; chunk < columns / 16; chunk += 32) {
    const uint4 q = shared16(w + chunk * 16);
    const float d = half_bits(shared2(w + columns + chunk / 2 * 2));
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const float step = __uint_as_float(shared4(x.meta[r] + chunk / 2 * 8));
      sums[r] += d * step * static_cast<float>(dot16_signed(q, shared16(x.data[r] + chunk * 16 + swap)));
    }
  }
}

template <Stored S, int R>
__device__ __forceinline__ void add_q4(std::uint32_t w, int columns, const Staged<R>& x, float (&sums)[R]) {
#pragma unroll 2
  for (int group = threadIdx.x % 32; group < columns / 32; group += 32) {
    const uint4 q = shared16(w + group * 16), low = masked(q, kLow), high = masked(q, kHigh);
    float2 d;
    if constexpr (S == Stored::q4_0) {
      d = {half_bits(shared2(w + columns / 2 + group * 2)), 0.0F};
    } else {
      d = half_pair(shared4(w + columns / 2 + group * 4));
    }
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint2 meta = shared8(x.meta[r] + group * 8);
      const int sum = low_sum(meta) + high_sum(meta);
      const int dot =
          dot16(low, shared16(x.data[r] + chunk_place(group * 2) * 16)) +
          dot16(high, shared16(x.data[r] + chunk_place(group * 2 + 1) * 16)) / 16;  // exact: a multiple of 16
      if constexpr (S == Stored::q4_0) {
        sums[r] += d.x * step_of(meta) * static_cast<float>(dot - 8 * sum);
      } else {
        sums[r] += step_of(meta) * (d.x * static_cast<float>(dot) + d.y * static_cast<float>(sum));
      }
    }
  }
}

template <int R>
__device__ __forceinline__ void add_q4_k(std::uint32_t w, int columns, const Staged<R>& x, float (&sums)[R]) {
  const int lane = threadIdx.x % 32, pair = lane & 3;
  const std::uint32_t swap = (lane >> 1 & 3) * 16;
#pragma unroll 2
  for (int first = 0; first < columns / 64; first += 32) {
    const int unit = first + lane;
    if (unit >= columns / 64) break;
    const std::uint32_t at = w + unit / 4 * 144;
    const uint4 header = shared16(at), q0 = shared16(at + 16 + pair * 32), q1 = shared16(at + 32 + pair * 32);
    std::uint32_t scales, minima;
    q4_k_scales(header, pair, scales, minima);
    const float2 d = half_pair(header.x);
    const float scale0 = d.x * static_cast<float>(scales & 255),
                scale1 = d.x * 0.0625F * static_cast<float>(scales >> 8);
    const float minimum0 = d.y * static_cast<float>(minima & 255),
                minimum1 = d.y * static_cast<float>(minima >> 8);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const std::uint32_t chunk = (x.data[r] + unit * 64) | swap;  // rows start at multiples of 64 bytes
      const uint4 meta = shared16(x.meta[r] + unit * 16);
      const uint2 near{meta.x, meta.y}, far{meta.z, meta.w};
      const int dot0 =
          dot16(masked(q0, kLow), shared16(chunk)) + dot16(masked(q1, kLow), shared16(chunk ^ 16));
      const int dot1 =
          dot16(masked(q0, kHigh), shared16(chunk ^ 32)) + dot16(masked(q1, kHigh), shared16(chunk ^ 48));
      sums[r] += step_of(near) * (scale0 * static_cast<float>(dot0) -
                                  minimum0 * static_cast<float>(low_sum(near) + high_sum(near))) +
                 step_of(far) * (scale1 * static_cast<float>(dot1) -
                                 minimum1 * static_cast<float>(low_sum(far) + high_sum(far)));
    }
  }
}

template <int R>
__device__ __forceinline__ void add_q6_k(std::uint32_t w, int columns, const Staged<R>& x, float (&sums)[R]) {
  const std::uint32_t upper = w + columns / 2, fine = upper + columns / 4, scales = fine + columns / 16;
  for (int unit = threadIdx.x % 32; unit < columns / 64; unit += 32) {
    // The unit's 16 bytes of upper bits serve four groups of 16 weights, a row of 32 weights apart.
    const int block = unit / 4, upper_half = unit % 4 / 2, half = unit & 1,
              group = block * 8 + upper_half * 4;
    const std::uint32_t low = w + block * 128 + upper_half * 64 + half * 16;
    const uint4 q0 = shared16(low), q1 = shared16(low + 32),
                pairs = shared16(upper + block * 64 + upper_half * 32 + half * 16);
    const uint2 bytes = shared8(fine + block * 16 + upper_half * 8);
    const float d = half_bits(shared2(scales + block * 2));
    const std::uint32_t fine0 = bytes.x >> 8 * half, fine1 = bytes.y >> 8 * half;
    const float factors[4] = {d * static_cast<float>(static_cast<signed char>(fine0)),
                              d * static_cast<float>(static_cast<signed char>(fine0 >> 16)),
                              d * static_cast<float>(static_cast<signed char>(fine1)),
                              d * static_cast<float>(static_cast<signed char>(fine1 >> 16))};
    const uint4 weights[4] = {six_bits(q0, pairs, 0, 0), six_bits(q1, pairs, 0, 2), six_bits(q0, pairs, 4, 4),
                              six_bits(q1, pairs, 4, 6)};
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint4 near = shared16(x.meta[r] + group * 8), far = shared16(x.meta[r] + group * 8 + 16);
      const uint2 metas[4] = {{near.x, near.y}, {near.z, near.w}, {far.x, far.y}, {far.z, far.w}};
#pragma unroll
      for (int g = 0; g < 4; ++g) {
        const int sum = half != 0 ? high_sum(metas[g]) : low_sum(metas[g]);
        const int dot = dot16(weights[g], shared16(x.data[r] + chunk_place((group + g) * 2 + half) * 16));
        sums[r] += step_of(metas[g]) * factors[g] * static_cast<float>(dot - 32 * sum);
      }
    }
  }
}

template <Stored S, int R>
__device__ __forceinline__ void add_plain(std::uint32_t w, int columns, const Staged<R>& x,
                                          float (&sums)[R]) {
#pragma unroll(R == 1 ? 4 : 1)
  for (int unit = threadIdx.x % 32; unit < columns / 8; unit += 32) {
    const uint4 raw = shared16(w + unit * 16);
    const std::uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
    float2 weights[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) weights[i] = S == Stored::f16 ? half_pair(words[i]) : bfloat_pair(words[i]);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint4 halves = shared16(x.data[r] + unit * 16);
      const float power = __uint_as_float(shared4(x.meta[r] + unit / 4 * 4));
      const float2 a = half_pair(halves.x), b = half_pair(halves.y), c = half_pair(halves.z),
                   d = half_pair(halves.w);
      const float even = weights[0].x * a.x + weights[1].x * b.x + weights[2].x * c.x + weights[3].x * d.x,
                  odd = weights[0].y * a.y + weights[1].y * b.y + weights[2].y * c.y + weights[3].y * d.y;
      sums[r] += power * (even + odd);
    }
  }
}

template <bool kQuantized, int R>
__device__ __forceinline__ void add_segment(Stored stored, std::uint32_t w, int columns, const Staged<R>& x,
                                            float (&sums)[R]) {
  if constexpr (kQuantized) {
    switch (stored) {
      case Stored::q4_k:
        return add_q4_k(w, columns, x, sums);
      case Stored::q6_k:
        return add_q6_k(w, columns, x, sums);
      case Stored::q8_0:
        return add_q8_0(w, columns, x, sums);
      case Stored::q4_0:
        return add_q4<Stored::q4_0>(w, columns, x, sums);
      default:
        return add_q4<Stored::q4_1>(w, columns, x, sums);
    }
  } else if (stored == Stored::f16) {
    add_plain<Stored::f16>(w, columns, x, sums);
  } else {
    add_plain<Stored::bf16>(w, columns, x, sums);
  }
}

}  // namespace pensieve::hal::cuda
