// Simd for AVX-512 (F, BW, DQ, VL), with VNNI where the including unit is compiled for it: 16 lanes.
// Only for *_avx512.cpp and *_avx512vnni.cpp; internal linkage keeps each unit's copy its own.
#pragma once

// GCC 12 takes the undefined operand that its own AVX-512 intrinsics pass for a mistake.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

namespace pensieve::hal::cpu {
namespace {

struct Simd {
  static constexpr int kLanes = 16, kMaxTile = 16;
  static constexpr int kFloatGroups =
      4;  // groups at once when there is one row: hides the latency of the sums
#ifdef __AVX512VNNI__
  static constexpr bool kUnsignedBytes = true;
#else
  static constexpr bool kUnsignedBytes = false;
#endif
  using F = __m512;
  using I = __m512i;

  static __mmask16 first(int count) {
    return static_cast<__mmask16>((1U << count) - 1U);
  }
  static F zero() {
    return _mm512_setzero_ps();
  }
  static F set(float x) {
    return _mm512_set1_ps(x);
  }
  static F load(const float* p) {
    return _mm512_loadu_ps(p);
  }
  static F load_part(const float* p, int count) {
    return _mm512_maskz_loadu_ps(first(count), p);
  }
  static void store(float* p, F x) {
    _mm512_storeu_ps(p, x);
  }
  static void store_part(float* p, F x, int count) {
    _mm512_mask_storeu_ps(p, first(count), x);
  }
  static F add(F a, F b) {
    return _mm512_add_ps(a, b);
  }
  static F sub(F a, F b) {
    return _mm512_sub_ps(a, b);
  }
  static F mul(F a, F b) {
    return _mm512_mul_ps(a, b);
  }
  static F div(F a, F b) {
    return _mm512_div_ps(a, b);
  }
  static F fma(F a, F b, F c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  static F min(F a, F b) {
    return _mm512_min_ps(a, b);
  }
  static F max(F a, F b) {
    return _mm512_max_ps(a, b);
  }
  static F absolute(F a) {
    return _mm512_abs_ps(a);
  }
  static F round(F a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static F power_of_two(F n) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }
  static F where_less(F a, F b, F then, F otherwise) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), otherwise, then);
  }
  static F swap_pairs(F a) {
    return _mm512_permute_ps(a, 0xB1);
  }
  static float sum(F a) {
    return _mm512_reduce_add_ps(a);
  }
  static float largest(F a) {
    return _mm512_reduce_max_ps(a);
  }

  static F load_half(const void* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  static void store_half(void* p, F x) {
    _mm256_storeu_si256(static_cast<__m256i*>(p),
                        _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F load_bfloat(const void* p) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p))), 16));
  }
  static F load_u8(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  static F load_i8(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  // Rounds to nearest, ties to even, saturates.
  static void store_i8(std::int8_t* p, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
  }

  static I load_int(const void* p) {
    return _mm512_loadu_si512(p);
  }
  static I set_int(int x) {
    return _mm512_set1_epi32(x);
  }
  static F convert(I x) {
    return _mm512_cvtepi32_ps(x);
  }
  static I low4(I x) {
    return _mm512_and_si512(x, _mm512_set1_epi8(15));
  }
  static I high4(I x) {
    return _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15));
  }
  // Bits 2i and 2i + 1 of each byte, at places 4 and 5.
  template <int i>
  static I two_bits(I x) {
    if constexpr (i < 2) x = _mm512_slli_epi16(x, 4 - 2 * i);
    if constexpr (i > 2) x = _mm512_srli_epi16(x, 2 * i - 4);
    return _mm512_and_si512(x, _mm512_set1_epi8(0x30));
  }
  static I either(I a, I b) {
    return _mm512_or_si512(a, b);
  }

  static I quad(const std::int8_t* a) {
    std::int32_t word;
    __builtin_memcpy(&word, a, 4);
    return _mm512_set1_epi32(word);
  }
  // start + sum over 4 * count neighbouring activations; w holds `count` vectors of 4 bytes for each lane.
  // bits: 4 and 6 are unsigned values, 8 is Kernels::unsigned_bytes' choice.
  template <int bits, int count>
  static I dot(const I* w, const std::int8_t* a, int start) {
#ifdef __AVX512VNNI__
    I sum = _mm512_set1_epi32(start);
#pragma GCC unroll 8
    for (int j = 0; j < count; ++j) sum = _mm512_dpbusd_epi32(sum, w[j], quad(a + 4 * j));
    return sum;
#else
    const I ones = _mm512_set1_epi16(1);
    I sum = _mm512_set1_epi32(start);
    if constexpr (bits == 8) {
#pragma GCC unroll 8
      for (int j = 0; j < count; ++j) {  // |w| times a with w's sign: 128 * 127 * 2 fits 16 bits
        const I activation = quad(a + 4 * j);
        const I turned =
            _mm512_mask_sub_epi8(activation, _mm512_movepi8_mask(w[j]), _mm512_setzero_si512(), activation);
        sum = _mm512_add_epi32(sum,
                               _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_abs_epi8(w[j]), turned), ones));
      }
    } else {
      constexpr int run = bits == 4 ? count : 2;  // products that add up within 16 bits
#pragma GCC unroll 8
      for (int j = 0; j < count; j += run) {
        I pairs = _mm512_maddubs_epi16(w[j], quad(a + 4 * j));
#pragma GCC unroll 8
        for (int i = 1; i < run; ++i)
          pairs = _mm512_add_epi16(pairs, _mm512_maddubs_epi16(w[j + i], quad(a + 4 * (j + i))));
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, ones));
      }
    }
    return sum;
#endif
  }
};

}  // namespace
}  // namespace pensieve::hal::cpu
