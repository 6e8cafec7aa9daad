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
#define PENSIEVE_CODEC_ENCODER nullptr
#endif
