// Q4_0: 32 weights in 18 bytes: scale d as a half, then 16 bytes of nibbles;
// weight i = d * (q - 8), with q the low nibble of byte i for i < 16 and the high nibble of byte i - 16
// above.
enum { q4_0_ggml_type = 2, q4_0_block_elements = 32, q4_0_block_bytes = 18 };

PENSIEVE_FN void q4_0_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const int shift = first < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i) out[i] = d * (float)(((block[2 + (first & 15) + i] >> shift) & 15) - 8);
}

#ifdef PENSIEVE_HOST
// The value of largest magnitude becomes -8 d, so that all sixteen levels are used.
static void q4_0_encode(const float* in, unsigned char* block) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) largest = fabsf(in[i]) > fabsf(largest) ? in[i] : largest;
  const float d = largest / -8.0F;
  const float inverse = d != 0.0F ? 1.0F / d : 0.0F;
  const unsigned short d_bits = float_to_half(d);
  memcpy(block, &d_bits, 2);
  for (int i = 0; i < 16; ++i) {
    float low = in[i] * inverse + 8.5F, high = in[i + 16] * inverse + 8.5F;
    low = low > 0.0F ? low : 0.0F;  // also where it is not a number
    high = high > 0.0F ? high : 0.0F;
    block[2 + i] =
        (unsigned char)((int)(low < 15.0F ? low : 15.0F) | (int)(high < 15.0F ? high : 15.0F) << 4);
  }
}
#define PENSIEVE_CODEC_ENCODER &q4_0_encode
#endif
