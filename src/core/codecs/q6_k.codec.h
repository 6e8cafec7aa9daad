// Q6_K: 256 weights in 210 bytes: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed scales s
// (one for 16 weights), scale d as a half. Weight = (d * s) * (q - 32). Each half of the block has 64 nibble
// bytes and 32 pair bytes: its weights 0-31 and 32-63 are the low nibbles, 64-127 the high ones; pair byte i
// serves weights i, 32 + i, 64 + i, 96 + i.
enum { q6_k_ggml_type = 14, q6_k_block_elements = 256, q6_k_block_bytes = 210 };

PENSIEVE_FN void q6_k_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[208] | block[209] << 8));
  const float scale = d * (float)(signed char)block[192 + first / 16];
  const int upper_half = first / 128, quarter = (first & 127) / 32, column = first & 31;
  PENSIEVE_GLOBAL const unsigned char* low = block + 64 * upper_half + 32 * (quarter & 1) + column;
  PENSIEVE_GLOBAL const unsigned char* pairs = block + 128 + 32 * upper_half + column;
  const int shift = quarter / 2 * 4;
  for (int i = 0; i < 8; ++i) {
    const int q = ((low[i] >> shift) & 15) | ((pairs[i] >> 2 * quarter) & 3) << 4;
    out[i] = scale * (float)(q - 32);
  }
}

#ifdef PENSIEVE_HOST
static void q6_k_encode(const float* in, unsigned char* block) {
  memset(block, 0, q6_k_block_bytes);
  encode_scaled(
      in, -32, -128, block + 208, [=](int j, int s) { block[192 + j] = (unsigned char)(signed char)s; },
      [=](int i, int level) {
        const int q = level + 32, quarter = (i & 127) / 32;
        block[i / 128 * 64 + (quarter & 1) * 32 + (i & 31)] |= (unsigned char)((q & 15) << quarter / 2 * 4);
        block[128 + i / 128 * 32 + (i & 31)] |= (unsigned char)(q >> 4 << 2 * quarter);
      });
}
#define PENSIEVE_CODEC_ENCODER &q6_k_encode
#endif
