// Q4_1: 32 weights in 20 bytes: scale d and minimum m as halves, then 16 bytes of nibbles;
// weight i = d * q + m, with q the low nibble of byte i for i < 16 and the high nibble of byte i - 16 above.
enum { q4_1_ggml_type = 3, q4_1_block_elements = 32, q4_1_block_bytes = 20 };

PENSIEVE_FN void q4_1_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const float m = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[2] | block[3] << 8));
  const int shift = first < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i) out[i] = d * (float)((block[4 + (first & 15) + i] >> shift) & 15) + m;
}

#ifdef PENSIEVE_HOST
static void q4_1_encode(const float* in, unsigned char* block) {
  float lowest = in[0], highest = in[0];
  for (int i = 1; i < 32; ++i) {
    lowest = in[i] < lowest ? in[i] : lowest;
    highest = in[i] > highest ? in[i] : highest;
  }
  const float d = (highest - lowest) / 15.0F;
  const float inverse = d != 0.0F ? 1.0F / d : 0.0F;
  const unsigned short d_bits = float_to_half(d), m_bits = float_to_half(lowest);
  memcpy(block, &d_bits, 2);
  memcpy(block + 2, &m_bits, 2);
  for (int i = 0; i < 16; ++i) {
    float low = (in[i] - lowest) * inverse + 0.5F, high = (in[i + 16] - lowest) * inverse + 0.5F;
    low = low > 0.0F ? low : 0.0F;  // also where it is not a number
    high = high > 0.0F ? high : 0.0F;
    block[4 + i] =
        (unsigned char)((int)(low < 15.0F ? low : 15.0F) | (int)(high < 15.0F ? high : 15.0F) << 4);
  }
}
#define PENSIEVE_CODEC_ENCODER &q4_1_encode
#endif
