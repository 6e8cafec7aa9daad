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
static void q2_k_encode(const float* in, unsigned char* block) {
  memset(block, 0, q2_k_block_bytes);
  encode_ranges<16>(
      in, 3, 15, block + 80, [=](int j, int s, int m) { block[j] = (unsigned char)(s | m << 4); },
      [=](int i, int q) {
        block[16 + i / 128 * 32 + (i & 31)] |= (unsigned char)(q << (i & 127) / 32 * 2);
      });
}
#define PENSIEVE_CODEC_ENCODER &q2_k_encode
#endif
