// Simd for AVX2 with FMA and F16C: 8 lanes. Only for *_avx2.cpp; internal linkage keeps each unit's copy its
// own.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace pensieve::hal::cpu {
namespace {

struct Simd {
  static constexpr int kLanes = 8, kMaxTile = 4;
  static constexpr int kFloatGroups =
      8;  // groups at once when there is one row: hides the latency of the sums
  static constexpr bool kUnsignedBytes = false;
  using F = __m256;
  using I = __m256i;

  static I first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static F zero() { return _mm256_setzero_ps(); }
  static F set(float x) { return _mm256_set1_ps(x); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static F load_part(const float* p, int count) { return _mm256_maskload_ps(p, first(count)); }
  static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
  static void store_part(float* p, F x, int count) { _mm256_maskstore_ps(p, first(count), x); }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F min(F a, F b) { return _mm256_min_ps(a, b); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F absolute(F a) { return _mm256_and_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF))); }
  static F round(F a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F power_of_two(F n) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }
  static F where_less(F a, F b, F then, F otherwise) {
    return _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
  }
  static F swap_pairs(F a) { return _mm256_permute_ps(a, 0xB1); }
  static float sum(F a) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static float largest(F a) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }

  static F load_half(const void* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static void store_half(void* p, F x) {
    _mm_storeu_si128(static_cast<__m128i*>(p),
                     _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F load_bfloat(const void* p) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))), 16));
  }
  static F load_u8(const void* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
  }
  static F load_i8(const void* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
  }
  // Rounds to nearest, ties to even, saturates.
  static void store_i8(std::int8_t* p, F x) {
    const I wide = _mm256_cvtps_epi32(x);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }

  static I load_int(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static I set_int(int x) { return _mm256_set1_epi32(x); }
  static F convert(I x) { return _mm256_cvtepi32_ps(x); }
  static I low4(I x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
  static I high4(I x) { return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15)); }
  // Bits 2i and 2i + 1 of each byte, at places 4 and 5.
  template <int i>
  static I two_bits(I x) {
    if constexpr (i < 2) x = _mm256_slli_epi16(x, 4 - 2 * i);
    if constexpr (i > 2) x = _mm256_srli_epi16(x, 2 * i - 4);
    return _mm256_and_si256(x, _mm256_set1_epi8(0x30));
  }
  static I either(I a, I b) { return _mm256_or_si256(a, b); }

  static I quad(const std::int8_t* a) {
    std::int32_t word;
    __builtin_memcpy(&word, a, 4);
    return _mm256_set1_epi32(word);
  }
  // start + sum over 4 * count neighbouring activations; w holds `count` vectors of 4 bytes for each lane.
  // bits: 4 and 6 are unsigned values, 8 is signed.
  template <int bits, int count>
  static I dot(const I* w, const std::int8_t* a, int start) {
    const I ones = _mm256_set1_epi16(1);
    I sum = _mm256_set1_epi32(start);
    if constexpr (bits == 8) {
#pragma GCC unroll 8
      for (int j = 0; j < count; ++j) {  // |w| times a with w's sign: 128 * 127 * 2 fits 16 bits
        const I pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w[j]), _mm256_sign_epi8(quad(a + 4 * j), w[j]));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
      }
    } else {
      constexpr int run = bits == 4 ? count : 2;  // products that add up within 16 bits
#pragma GCC unroll 8
      for (int j = 0; j < count; j += run) {
        I pairs = _mm256_maddubs_epi16(w[j], quad(a + 4 * j));
#pragma GCC unroll 8
        for (int i = 1; i < run; ++i)
          pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(w[j + i], quad(a + 4 * (j + i))));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
      }
    }
    return sum;
  }
};

}  // namespace
}  // namespace pensieve::hal::cpu
