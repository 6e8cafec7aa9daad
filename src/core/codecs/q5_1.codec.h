// Q5_1: 32 weights in 24 bytes: scale d and minimum m as halves, 32 fifth bits (bit i for weight i), 16 bytes
// of nibbles as in Q4_1; weight = d * q + m.
enum { q5_1_ggml_type = 7, q5_1_block_elements = 32, q5_1_block_bytes = 24 };

PENSIEVE_FN void q5_1_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const float m = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[2] | block[3] << 8));
  const int fifth = block[4 + first / 8];
  const int shift = first < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i) {
    const int q = ((block[8 + (first & 15) + i] >> shift) & 15) | ((fifth >> i) & 1) << 4;
    out[i] = d * (float)q + m;
  }
}

#ifdef PENSIEVE_HOST
// The least value is the minimum, the greatest is 31 steps above.
static void q5_1_encode(const float* in, unsigned char* block) {
  float low = finite_or_zero(in[0]), high = low;
  for (int i = 1; i < 32; ++i) {
    low = fminf(low, finite_or_zero(in[i]));
    high = fmaxf(high, finite_or_zero(in[i]));
  }
  const unsigned short bits[2] = {float_to_half((high - low) / 31.0F), float_to_half(low)};
  memcpy(block, bits, 4);
  memset(block + 4, 0, 20);
  const float inverse = inverse_of((high - low) / 31.0F);
  for (int i = 0; i < 32; ++i) {
    const int q = nearest_level((in[i] - low) * inverse, 0, 31);
    block[4 + i / 8] |= (unsigned char)(q >> 4 << i % 8);
    block[8 + (i & 15)] |= (unsigned char)((q & 15) << i / 16 * 4);
  }
}
#define PENSIEVE_CODEC_ENCODER &q5_1_encode
#endif
