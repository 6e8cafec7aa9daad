// IQ4_XS: 256 weights in 136 bytes: scale d as a half, eight 6-bit scales s (one for 32 weights) as 16 bits
// of upper pairs and 4 bytes of low nibbles, then eight groups of 16 nibble bytes laid out as in IQ4_NL.
// Weight = (d * (s - 32)) * table[nibble].
enum { iq4_xs_ggml_type = 23, iq4_xs_block_elements = 256, iq4_xs_block_bytes = 136 };

PENSIEVE_CONSTANT signed char iq4_xs_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                   1,    13,   25,  38,  53,  69,  89,  113};

PENSIEVE_FN void iq4_xs_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const int j = first / 32;
  const int upper = (block[2] | block[3] << 8) >> 2 * j & 3;
  const int s = ((block[4 + j / 2] >> (j & 1) * 4) & 15) | upper << 4;
  const float scale = d * (float)(s - 32);
  PENSIEVE_GLOBAL const unsigned char* nibbles = block + 8 + 16 * j + (first & 15);
  const int shift = (first & 31) < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i) out[i] = scale * (float)iq4_xs_levels[(nibbles[i] >> shift) & 15];
}

#ifdef PENSIEVE_HOST
// The scale of largest magnitude is at -32 steps of d.
static void iq4_xs_encode(const float* in, unsigned char* block) {
  float scales[8], largest = 0.0F;
  for (int j = 0; j < 8; ++j) {
    scales[j] = fit_levels(in + 32 * j, iq4_xs_levels);
    largest = fabsf(scales[j]) > fabsf(largest) ? scales[j] : largest;
  }
  memset(block, 0, iq4_xs_block_bytes);
  const unsigned short d_bits = float_to_half(largest / -32.0F);
  memcpy(block, &d_bits, 2);
  const float d = half_to_float(d_bits);
  for (int j = 0; j < 8; ++j) {
    const int s = nearest_level(scales[j] * inverse_of(d), -32, 31);
    block[2 + j / 4] |= (unsigned char)((s + 32) >> 4 << (j & 3) * 2);
    block[4 + j / 2] |= (unsigned char)(((s + 32) & 15) << (j & 1) * 4);
    const float inverse = inverse_of(d * (float)s);
    for (int i = 0; i < 32; ++i) {
      const int level = nearest_of(finite_or_zero(in[32 * j + i]) * inverse, iq4_xs_levels);
      block[8 + 16 * j + (i & 15)] |= (unsigned char)(level << i / 16 * 4);
    }
  }
}
#define PENSIEVE_CODEC_ENCODER &iq4_xs_encode
#endif
