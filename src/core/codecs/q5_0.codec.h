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
#define PENSIEVE_CODEC_ENCODER nullptr
#endif
