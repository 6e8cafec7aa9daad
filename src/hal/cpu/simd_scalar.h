// Simd in portable C++: 4 lanes as the compilers' vector extension, which every processor of the baseline
// runs. Only for *_scalar.cpp; internal linkage keeps each unit's copy its own.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/half.h"

namespace pensieve::hal::cpu {
namespace {

struct Simd {
  static constexpr int kLanes = 4, kMaxTile = 4;
  static constexpr int kFloatGroups =
      4;  // groups at once when there is one row: hides the latency of the sums
  static constexpr bool kUnsignedBytes = false;
  typedef float F __attribute__((vector_size(16)));
  typedef std::int32_t Int __attribute__((vector_size(16)));
  struct I {  // 16 bytes, seen as 4 words
    std::int32_t word[4];
  };

  static F zero() { return F{0, 0, 0, 0}; }
  static F set(float x) { return F{x, x, x, x}; }
  static F load(const float* p) {
    F x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static F load_part(const float* p, int count) {
    F x = zero();
    for (int i = 0; i < count; ++i) x[i] = p[i];
    return x;
  }
  static void store(float* p, F x) { std::memcpy(p, &x, sizeof x); }
  static void store_part(float* p, F x, int count) {
    for (int i = 0; i < count; ++i) p[i] = x[i];
  }
  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F fma(F a, F b, F c) { return a * b + c; }
  static F min(F a, F b) { return a < b ? a : b; }
  static F max(F a, F b) { return a > b ? a : b; }
  static F absolute(F a) { return a < zero() ? -a : a; }
  static F round(F a) {
    for (int i = 0; i < 4; ++i) a[i] = std::nearbyint(a[i]);
    return a;
  }
  static F power_of_two(F n) {
    const Int bits = (__builtin_convertvector(n, Int) + 127) << 23;
    F x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
  }
  static F where_less(F a, F b, F then, F otherwise) { return a < b ? then : otherwise; }
  static F swap_pairs(F a) { return F{a[1], a[0], a[3], a[2]}; }
  static float sum(F a) { return (a[0] + a[2]) + (a[1] + a[3]); }
  static float largest(F a) {
    float most = a[0];
    for (int i = 1; i < 4; ++i) most = a[i] > most ? a[i] : most;
    return most;
  }

  template <class T>
  static T read(const void* p, int i) {
    T x;
    std::memcpy(&x, static_cast<const char*>(p) + sizeof(T) * static_cast<std::size_t>(i), sizeof x);
    return x;
  }
  static F load_half(const void* p) {
    F x = zero();
    for (int i = 0; i < 4; ++i) x[i] = half_to_float(read<std::uint16_t>(p, i));
    return x;
  }
  static void store_half(void* p, F x) {
    for (int i = 0; i < 4; ++i) {
      const std::uint16_t bits = float_to_half(x[i]);
      std::memcpy(static_cast<char*>(p) + 2 * i, &bits, 2);
    }
  }
  static F load_bfloat(const void* p) {
    F x = zero();
    for (int i = 0; i < 4; ++i) x[i] = bfloat_to_float(read<std::uint16_t>(p, i));
    return x;
  }
  static F load_u8(const void* p) {
    F x = zero();
    for (int i = 0; i < 4; ++i) x[i] = read<std::uint8_t>(p, i);
    return x;
  }
  static F load_i8(const void* p) {
    F x = zero();
    for (int i = 0; i < 4; ++i) x[i] = read<std::int8_t>(p, i);
    return x;
  }
  // Rounds to nearest, ties to even, saturates.
  static void store_i8(std::int8_t* p, F x) {
    for (int i = 0; i < 4; ++i) {
      const float rounded = std::nearbyint(x[i]);
      p[i] = static_cast<std::int8_t>(rounded > 127.0F ? 127.0F : rounded < -128.0F ? -128.0F : rounded);
    }
  }

  static I load_int(const void* p) {
    I x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static I set_int(int x) { return {{x, x, x, x}}; }
  static F convert(I x) {
    return F{static_cast<float>(x.word[0]), static_cast<float>(x.word[1]), static_cast<float>(x.word[2]),
             static_cast<float>(x.word[3])};
  }
  static I masked(I x, int shift, std::uint32_t mask) {  // shift > 0: right
    for (auto& word : x.word) {
      const auto bits = static_cast<std::uint32_t>(word);
      word = static_cast<std::int32_t>((shift > 0 ? bits >> shift : bits << -shift) & mask);
    }
    return x;
  }
  static I low4(I x) { return masked(x, 0, 0x0F0F0F0FU); }
  static I high4(I x) { return masked(x, 4, 0x0F0F0F0FU); }
  // Bits 2i and 2i + 1 of each byte, at places 4 and 5.
  template <int i>
  static I two_bits(I x) {
    return masked(x, 2 * i - 4, 0x30303030U);
  }
  static I either(I a, I b) {
    for (int i = 0; i < 4; ++i) a.word[i] |= b.word[i];
    return a;
  }

  // start + sum over 4 * count neighbouring activations; w holds `count` vectors of 4 bytes for each lane.
  // bits: 4 and 6 are unsigned values below 64, 8 is signed; so all can be read as signed.
  template <int bits, int count>
  static I dot(const I* w, const std::int8_t* a, int start) {
    I sum = set_int(start);
    for (int j = 0; j < count; ++j) {
      for (int lane = 0; lane < 4; ++lane) {
        for (int i = 0; i < 4; ++i) sum.word[lane] += read<std::int8_t>(&w[j], 4 * lane + i) * a[4 * j + i];
      }
    }
    return sum;
  }
};

}  // namespace
}  // namespace pensieve::hal::cpu
