// Q2_K: 256 weights in 84 bytes: 16 bytes with scale s (low nibble) and minimum m (high nibble) of 16 weights
// each, 64 bytes of bit pairs, scales d and dmin as halves. Weight = (d * s) * q - dmin * m. Each half of the
// block has 32 pair bytes: byte i serves its weights i, 32 + i, 64 + i and 96 + i, lowest bits first.
enum { q2_k_ggml_type = 10, q2_k_block_elements = 256, q2_k_block_bytes = 84 };

PENSIEVE_FN void q2_k_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[80] | block[81] << 8));
  const float dmin = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[82] | block[83] << 8));
  const int packed = block[first / 16];
  const float scale = d * (float)(packed & 15), minimum = dmin * (float)(packed >> 4);
  PENSIEVE_GLOBAL const unsigned char* pairs = block + 16 + first / 128 * 32 + (first & 31);
  const int shift = (first & 127) / 32 * 2;
  for (int i = 0; i < 8; ++i) out[i] = scale * (float)((pairs[i] >> shift) & 3) - minimum;
}

#ifdef PENSIEVE_HOST
// Ranges of 16 weights by least squares; their scales and minima in steps of d and dmin.
static void q2_k_encode(const float* in, unsigned char* block) {
  Range ranges[16];
  float scale = 0.0F, minimum = 0.0F;
  for (int j = 0; j < 16; ++j) {
    ranges[j] = fit_range(in + 16 * j, 16, 3);
    scale = fmaxf(scale, ranges[j].scale);
    minimum = fmaxf(minimum, ranges[j].minimum);
  }
  memset(block, 0, q2_k_block_bytes);
  const unsigned short bits[2] = {float_to_half(scale / 15.0F), float_to_half(minimum / 15.0F)};
  memcpy(block + 80, bits, 4);
  const float d = half_to_float(bits[0]), dmin = half_to_float(bits[1]);
  for (int j = 0; j < 16; ++j) {
    const int s = nearest_level(ranges[j].scale * inverse_of(d), 0, 15);
    const int m = nearest_level(ranges[j].minimum * inverse_of(dmin), 0, 15);
    block[j] = (unsigned char)(s | m << 4);
    const float inverse = inverse_of(d * (float)s);
    for (int i = 16 * j; i < 16 * j + 16; ++i) {
      const int q = nearest_level((in[i] + dmin * (float)m) * inverse, 0, 3);
      block[16 + i / 128 * 32 + (i & 31)] |= (unsigned char)(q << (i & 127) / 32 * 2);
    }
  }
}
#define PENSIEVE_CODEC_ENCODER &q2_k_encode
#endif
