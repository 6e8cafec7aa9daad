// Q5_0: 32 weights in 22 bytes: scale d as a half, 32 fifth bits (bit i for weight i), 16 bytes of nibbles as
// in Q4_0; weight = d * (q - 16).
enum { q5_0_ggml_type = 6, q5_0_block_elements = 32, q5_0_block_bytes = 22 };

PENSIEVE_FN void q5_0_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const int fifth = block[2 + first / 8];
  const int shift = first < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i) {
    const int q = ((block[6 + (first & 15) + i] >> shift) & 15) | ((fifth >> i) & 1) << 4;
    out[i] = d * (float)(q - 16);
  }
}

#ifdef PENSIEVE_HOST
// The value of largest magnitude becomes -16 d, so that all levels are used.
static void q5_0_encode(const float* in, unsigned char* block) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) largest = fabsf(in[i]) > fabsf(largest) ? in[i] : largest;
  const unsigned short d_bits = float_to_half(largest / -16.0F);
  memcpy(block, &d_bits, 2);
  memset(block + 2, 0, 20);
  const float inverse = inverse_of(largest / -16.0F);
  for (int i = 0; i < 32; ++i) {
    const int q = nearest_level(in[i] * inverse, -16, 15) + 16;
    block[2 + i / 8] |= (unsigned char)(q >> 4 << i % 8);
    block[6 + (i & 15)] |= (unsigned char)((q & 15) << i / 16 * 4);
  }
}
#define PENSIEVE_CODEC_ENCODER &q5_0_encode
#endif
