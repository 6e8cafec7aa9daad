// Q5_K: 256 weights in 176 bytes: as Q4_K (halves d and dmin, 12 bytes of 6-bit scales s and minima m, 128
// bytes of nibbles), with 32 bytes of fifth bits before the nibbles: bit j of byte i belongs to weight 32 j +
// i. Weight = (d * s) * q - dmin * m.
enum { q5_k_ggml_type = 13, q5_k_block_elements = 256, q5_k_block_bytes = 176 };

PENSIEVE_FN void q5_k_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const float dmin = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[2] | block[3] << 8));
  PENSIEVE_GLOBAL const unsigned char* packed = block + 4;
  const int j = first / 32;
  const int s = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
  const int m = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
  const float scale = d * (float)s, minimum = dmin * (float)m;
  PENSIEVE_GLOBAL const unsigned char* fifth = block + 16 + (first & 31);
  PENSIEVE_GLOBAL const unsigned char* nibbles = block + 48 + first / 64 * 32 + (first & 31);
  const int shift = (j & 1) * 4;
  for (int i = 0; i < 8; ++i) {
    const int q = ((nibbles[i] >> shift) & 15) | ((fifth[i] >> j) & 1) << 4;
    out[i] = scale * (float)q - minimum;
  }
}

#ifdef PENSIEVE_HOST
// Ranges of 32 weights by least squares; their scales and minima in steps of d and dmin.
static void q5_k_encode(const float* in, unsigned char* block) {
  Range ranges[8];
  float scale = 0.0F, minimum = 0.0F;
  for (int j = 0; j < 8; ++j) {
    ranges[j] = fit_range(in + 32 * j, 32, 31);
    scale = fmaxf(scale, ranges[j].scale);
    minimum = fmaxf(minimum, ranges[j].minimum);
  }
  memset(block, 0, q5_k_block_bytes);
  const unsigned short bits[2] = {float_to_half(scale / 63.0F), float_to_half(minimum / 63.0F)};
  memcpy(block, bits, 4);
  const float d = half_to_float(bits[0]), dmin = half_to_float(bits[1]);
  for (int j = 0; j < 8; ++j) {
    const int s = nearest_level(ranges[j].scale * inverse_of(d), 0, 63);
    const int m = nearest_level(ranges[j].minimum * inverse_of(dmin), 0, 63);
    if (j < 4) {
      block[4 + j] |= (unsigned char)s;
      block[8 + j] |= (unsigned char)m;
    } else {
      block[8 + j] |= (unsigned char)((s & 15) | (m & 15) << 4);
      block[j] |= (unsigned char)(s >> 4 << 6);
      block[4 + j] |= (unsigned char)(m >> 4 << 6);
    }
    const float inverse = inverse_of(d * (float)s);
    for (int i = 0; i < 32; ++i) {
      const int q = nearest_level((in[32 * j + i] + dmin * (float)m) * inverse, 0, 31);
      block[16 + i] |= (unsigned char)(q >> 4 << j);
      block[48 + j / 2 * 32 + i] |= (unsigned char)((q & 15) << (j & 1) * 4);
    }
  }
}
#define PENSIEVE_CODEC_ENCODER &q5_k_encode
#endif
