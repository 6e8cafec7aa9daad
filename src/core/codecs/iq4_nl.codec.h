// IQ4_NL: 32 weights in 18 bytes: scale d as a half, then 16 bytes of nibbles laid out as in Q4_0;
// weight = d * table[nibble], a fixed table of unevenly spaced levels.
enum { iq4_nl_ggml_type = 20, iq4_nl_block_elements = 32, iq4_nl_block_bytes = 18 };

PENSIEVE_CONSTANT signed char iq4_nl_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                   1,    13,   25,  38,  53,  69,  89,  113};

PENSIEVE_FN void iq4_nl_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const int shift = first < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i) out[i] = d * (float)iq4_nl_levels[(block[2 + (first & 15) + i] >> shift) & 15];
}

#ifdef PENSIEVE_HOST
static void iq4_nl_encode(const float* in, unsigned char* block) {
  memset(block, 0, iq4_nl_block_bytes);
  const unsigned short d_bits = float_to_half(fit_levels(in, iq4_nl_levels));
  memcpy(block, &d_bits, 2);
  const float inverse = inverse_of(half_to_float(d_bits));
  for (int i = 0; i < 32; ++i)
    block[2 + (i & 15)] |= (unsigned char)(nearest_of(finite_or_zero(in[i]) * inverse, iq4_nl_levels) << i / 16 * 4);
}
#define PENSIEVE_CODEC_ENCODER &iq4_nl_encode
#endif
