// Encoding a block of 256 weights as the K formats do: groups with whole scales, in steps of one or two
// halves of the block. Where the parts lie in the block is the format's: it puts them there itself. Host
// only.
#pragma once

#include <cmath>
#include <cstring>

#include "core/codecs/fit.h"
#include "core/half.h"

namespace pensieve {

// Groups of `Group` weights as ranges by least squares: weight = (d * s) * q - dmin * m, with s and m in [0,
// limit], q in [0, high]. d and dmin go to `halves`; put_range(group, s, m) and put_level(weight, q) store
// the rest.
template <int Group, class PutRange, class PutLevel>
void encode_ranges(const float* in, int high, int limit, unsigned char* halves, PutRange put_range,
                   PutLevel put_level) {
  constexpr int kGroups = 256 / Group;
  Range ranges[kGroups];
  float scale = 0.0F, minimum = 0.0F;
  for (int j = 0; j < kGroups; ++j) {
    ranges[j] = fit_range(in + Group * j, Group, high);
    scale = std::fmax(scale, ranges[j].scale);
    minimum = std::fmax(minimum, ranges[j].minimum);
  }
  const auto steps = static_cast<float>(limit);
  const unsigned short bits[2] = {float_to_half(scale / steps), float_to_half(minimum / steps)};
  std::memcpy(halves, bits, sizeof bits);
  const float d = half_to_float(bits[0]), dmin = half_to_float(bits[1]);
  for (int j = 0; j < kGroups; ++j) {
    const int s = nearest_level(ranges[j].scale * inverse_of(d), 0, limit);
    const int m = nearest_level(ranges[j].minimum * inverse_of(dmin), 0, limit);
    put_range(j, s, m);
    const float inverse = inverse_of(d * static_cast<float>(s));
    for (int i = Group * j; i < Group * (j + 1); ++i)
      put_level(i, nearest_level((in[i] + dmin * static_cast<float>(m)) * inverse, 0, high));
  }
}

// Groups of 16 weights by least squares: weight = (d * s) * q, with q in [low, -low - 1] and s in [reach,
// -reach - 1]; the scale of largest magnitude is at `reach`. d goes to `half`; put_scale(group, s),
// put_level(weight, q).
template <class PutScale, class PutLevel>
void encode_scaled(const float* in, int low, int reach, unsigned char* half, PutScale put_scale,
                   PutLevel put_level) {
  float scales[16], largest = 0.0F;
  for (int j = 0; j < 16; ++j) {
    scales[j] = fit_scale(in + 16 * j, 16, low, -low - 1);
    largest = std::fabs(scales[j]) > std::fabs(largest) ? scales[j] : largest;
  }
  const unsigned short bits = float_to_half(largest / static_cast<float>(reach));
  std::memcpy(half, &bits, sizeof bits);
  const float d = half_to_float(bits);
  for (int j = 0; j < 16; ++j) {
    const int s = nearest_level(scales[j] * inverse_of(d), reach, -reach - 1);
    put_scale(j, s);
    const float inverse = inverse_of(d * static_cast<float>(s));
    for (int i = 16 * j; i < 16 * (j + 1); ++i) put_level(i, nearest_level(in[i] * inverse, low, -low - 1));
  }
}

// Q4_K and Q5_K pack scale s and minimum m of group j, six bits each, into 12 bytes.
inline void put_six_bits(unsigned char* packed, int j, int s, int m) {
  if (j < 4) {
    packed[j] |= (unsigned char)s;
    packed[j + 4] |= (unsigned char)m;
  } else {
    packed[j + 4] |= (unsigned char)((s & 15) | (m & 15) << 4);
    packed[j - 4] |= (unsigned char)(s >> 4 << 6);
    packed[j] |= (unsigned char)(m >> 4 << 6);
  }
}

}  // namespace pensieve
