// The codecs of core/codecs compiled for the device, and groups of 32 neighbouring weights of any stored
// matrix as floats. A new codec needs one line here when it is to run on CUDA.
#pragma once

#include "hal/cuda/device.cuh"

#define PENSIEVE_FN __device__ static inline
#define PENSIEVE_GLOBAL
#define PENSIEVE_CONSTANT __device__ static const
#define PENSIEVE_HALF_TO_FLOAT(bits) ::pensieve::hal::cuda::half_bits(bits)
#define PENSIEVE_FLOAT_FROM_BITS(bits) __uint_as_float(bits)

namespace pensieve::hal::cuda {
namespace {

#include "core/codecs/iq4_nl.codec.h"
#include "core/codecs/iq4_xs.codec.h"
#include "core/codecs/mxfp4.codec.h"
#include "core/codecs/q2_k.codec.h"
#include "core/codecs/q3_k.codec.h"
#include "core/codecs/q5_0.codec.h"
#include "core/codecs/q5_1.codec.h"
#include "core/codecs/q5_k.codec.h"

__device__ __forceinline__ void decode8(std::uint32_t type, const unsigned char* block, int first,
                                        float* out) {
  switch (type) {
    case iq4_nl_ggml_type:
      return iq4_nl_decode8(block, first, out);
    case iq4_xs_ggml_type:
      return iq4_xs_decode8(block, first, out);
    case mxfp4_ggml_type:
      return mxfp4_decode8(block, first, out);
    case q2_k_ggml_type:
      return q2_k_decode8(block, first, out);
    case q3_k_ggml_type:
      return q3_k_decode8(block, first, out);
    case q5_0_ggml_type:
      return q5_0_decode8(block, first, out);
    case q5_1_ggml_type:
      return q5_1_decode8(block, first, out);
    case q5_k_ggml_type:
      return q5_k_decode8(block, first, out);
    default:
      break;
  }
}

// What one group of 32 weights needs from memory, fetched apart from its decoding so that loads can run
// ahead.
struct RawGroup {
  uint4 a, b, c, d;
  std::uint32_t e;
};

// Where a group of 32 lies: its segment, how many columns that has, and the group's number in it.
struct Place32 {
  const unsigned char* segment;
  int columns, group;
};
template <Stored S>
__device__ __forceinline__ Place32 place32(const Matrix& m, int row, int group) {
  constexpr int kColumns = segment_columns_of(S), kGroups = kColumns / 32;
  const int segment = group / kGroups, width = is_plain(S) ? m.stride : m.columns;
  return {m.quants + row * m.row_bytes + segment * static_cast<std::size_t>(m.segment_bytes),
          min(kColumns, width - segment * kColumns), group - segment * kGroups};
}

template <Stored S>
__device__ __forceinline__ void fetch32(const Matrix& m, int row, int group, RawGroup& raw) {
  const Place32 place = place32<S>(m, row, group);
  const unsigned char* at = place.segment;
  if constexpr (S == Stored::f16 || S == Stored::bf16) {
    at += place.group * 64;
    raw.a = load16(at);
    raw.b = load16(at + 16);
    raw.c = load16(at + 32);
    raw.d = load16(at + 48);
  } else if constexpr (S == Stored::q8_0) {
    raw.a = load16(at + place.group * 32);
    raw.b = load16(at + place.group * 32 + 16);
    raw.e = __ldg(reinterpret_cast<const unsigned short*>(at + place.columns) + place.group);
  } else if constexpr (S == Stored::q4_0 || S == Stored::q4_1) {
    raw.a = load16(at + place.group * 16);
    if constexpr (S == Stored::q4_0) {
      raw.e = __ldg(reinterpret_cast<const unsigned short*>(at + place.columns / 2) + place.group);
    } else {
      raw.e = __ldg(reinterpret_cast<const unsigned int*>(at + place.columns / 2) + place.group);
    }
  } else if constexpr (S == Stored::q4_k) {
    const unsigned char* block = at + place.group / 8 * 144;
    raw.c = load16(block);
    raw.a = load16(block + 16 + (group & 7) / 2 * 32);
    raw.b = load16(block + 32 + (group & 7) / 2 * 32);
  } else if constexpr (S == Stored::q6_k) {
    const int block = place.group / 8, half = (group & 7) / 4, quarter = group & 3, n = place.columns;
    const unsigned char* low = at + block * 128 + 64 * half + 32 * (quarter & 1);
    const unsigned char* pairs = at + n / 2 + block * 64 + 32 * half;
    raw.a = load16(low);
    raw.b = load16(low + 16);
    raw.c = load16(pairs);
    raw.d = load16(pairs + 16);
    const unsigned char *fine = at + n / 2 + n / 4, *scales = fine + n / 16;
    raw.e = __ldg(reinterpret_cast<const unsigned short*>(scales) + block) |
            static_cast<std::uint32_t>(
                __ldg(reinterpret_cast<const unsigned short*>(fine + block * 16 + (group & 7) * 2)))
                << 16;
  }
}

// Calls put(i, first, second) for the weights 2 i and 2 i + 1 of the group, i rising.
template <Stored S, class Put>
__device__ __forceinline__ void decode32(const RawGroup& raw, int group, Put put) {
  const std::uint32_t words[16] = {raw.a.x, raw.a.y, raw.a.z, raw.a.w, raw.b.x, raw.b.y, raw.b.z, raw.b.w,
                                   raw.c.x, raw.c.y, raw.c.z, raw.c.w, raw.d.x, raw.d.y, raw.d.z, raw.d.w};
  if constexpr (S == Stored::f16 || S == Stored::bf16) {
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const float2 pair = S == Stored::f16 ? half_pair(words[i]) : bfloat_pair(words[i]);
      put(i, pair.x, pair.y);
    }
  } else if constexpr (S == Stored::q8_0) {
    const float d = half_bits(static_cast<unsigned short>(raw.e));
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const std::uint32_t two = words[i / 2] >> (i & 1) * 16;
      put(i, d * static_cast<float>(static_cast<signed char>(two)),
          d * static_cast<float>(static_cast<signed char>(two >> 8)));
    }
  } else if constexpr (S == Stored::q4_0 || S == Stored::q4_1) {
    const float d = half_bits(static_cast<unsigned short>(raw.e));
    const float m = S == Stored::q4_1 ? half_bits(static_cast<unsigned short>(raw.e >> 16)) : 0.0F;
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const std::uint32_t two = words[(i & 7) / 2] >> ((i & 1) * 16 + (i < 8 ? 0 : 4));
      const int first = two & 15, second = two >> 8 & 15;
      if constexpr (S == Stored::q4_0) {
        put(i, d * static_cast<float>(first - 8), d * static_cast<float>(second - 8));
      } else {
        put(i, d * static_cast<float>(first) + m, d * static_cast<float>(second) + m);
      }
    }
  } else if constexpr (S == Stored::q4_k) {
    std::uint32_t scales, minima;
    q4_k_scales(raw.c, (group & 7) / 2, scales, minima);
    const float2 d = half_pair(raw.c.x);
    const int odd = group & 1;
    const float scale = d.x * static_cast<float>(scales >> 8 * odd & 255),
                minimum = d.y * static_cast<float>(minima >> 8 * odd & 255);
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const std::uint32_t two = words[i / 2] >> ((i & 1) * 16 + 4 * odd);
      put(i, scale * static_cast<float>(two & 15) - minimum,
          scale * static_cast<float>(two >> 8 & 15) - minimum);
    }
  } else if constexpr (S == Stored::q6_k) {
    const float d = half_bits(static_cast<unsigned short>(raw.e));
    const float scale[2] = {d * static_cast<float>(static_cast<signed char>(raw.e >> 16)),
                            d * static_cast<float>(static_cast<signed char>(raw.e >> 24))};
    const int quarter = group & 3, shift = quarter / 2 * 4;
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const std::uint32_t low = words[i / 2] >> ((i & 1) * 16 + shift),
                          high = words[8 + i / 2] >> ((i & 1) * 16 + 2 * quarter);
      const int first = (low & 15) | (high & 3) << 4, second = (low >> 8 & 15) | (high >> 8 & 3) << 4;
      put(i, scale[i / 8] * static_cast<float>(first - 32), scale[i / 8] * static_cast<float>(second - 32));
    }
  }
}

// One group of any matrix as floats; columns behind the end are zeros. Slow where the file's layout was kept.
__device__ __forceinline__ void read32(const Matrix& m, int row, int group, float* out) {
  const auto put = [out](int i, float first, float second) {
    out[2 * i] = first;
    out[2 * i + 1] = second;
  };
  RawGroup raw;
  switch (m.stored) {
    case Stored::f32: {
      const float* at =
          reinterpret_cast<const float*>(m.quants) + static_cast<std::size_t>(row) * m.stride + group * 32;
      for (int i = 0; i < 32; ++i) out[i] = at[i];
      break;
    }
    case Stored::f16:
      fetch32<Stored::f16>(m, row, group, raw);
      decode32<Stored::f16>(raw, group, put);
      break;
    case Stored::bf16:
      fetch32<Stored::bf16>(m, row, group, raw);
      decode32<Stored::bf16>(raw, group, put);
      break;
    case Stored::q8_0:
      fetch32<Stored::q8_0>(m, row, group, raw);
      decode32<Stored::q8_0>(raw, group, put);
      break;
    case Stored::q4_0:
      fetch32<Stored::q4_0>(m, row, group, raw);
      decode32<Stored::q4_0>(raw, group, put);
      break;
    case Stored::q4_1:
      fetch32<Stored::q4_1>(m, row, group, raw);
      decode32<Stored::q4_1>(raw, group, put);
      break;
    case Stored::q4_k:
      fetch32<Stored::q4_k>(m, row, group, raw);
      decode32<Stored::q4_k>(raw, group, put);
      break;
    case Stored::q6_k:
      fetch32<Stored::q6_k>(m, row, group, raw);
      decode32<Stored::q6_k>(raw, group, put);
      break;
    case Stored::blocks: {
      const std::size_t row_blocks = m.columns / m.block_elements;
      const int first = group * 32;
      const unsigned char* block = m.quants + (row * row_blocks + first / m.block_elements) * m.block_bytes;
      for (int i = 0; i < 32; i += 8) decode8(m.type, block, first % m.block_elements + i, out + i);
      break;
    }
  }
}

}  // namespace
}  // namespace pensieve::hal::cuda
