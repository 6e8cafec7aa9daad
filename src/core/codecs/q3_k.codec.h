// Q3_K: 256 weights in 110 bytes: 32 bytes of third bits (bit j of byte i belongs to weight 32 j + i), 64
// bytes of bit pairs laid out as in Q2_K, 12 bytes packing sixteen 6-bit scales s (one for 16 weights), scale
// d as a half. Weight = (d * (s - 32)) * (q - 4), q of three bits.
enum { q3_k_ggml_type = 11, q3_k_block_elements = 256, q3_k_block_bytes = 110 };

PENSIEVE_FN void q3_k_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[108] | block[109] << 8));
  PENSIEVE_GLOBAL const unsigned char* packed = block + 96;
  const int j = first / 16;
  const int s = ((packed[j & 7] >> j / 8 * 4) & 15) | ((packed[8 + (j & 3)] >> j / 4 * 2) & 3) << 4;
  const float scale = d * (float)(s - 32);
  PENSIEVE_GLOBAL const unsigned char* third = block + (first & 31);
  PENSIEVE_GLOBAL const unsigned char* pairs = block + 32 + first / 128 * 32 + (first & 31);
  const int shift = (first & 127) / 32 * 2;
  for (int i = 0; i < 8; ++i) {
    const int q = ((pairs[i] >> shift) & 3) | ((third[i] >> first / 32) & 1) << 2;
    out[i] = scale * (float)(q - 4);
  }
}

#ifdef PENSIEVE_HOST
static void q3_k_encode(const float* in, unsigned char* block) {
  memset(block, 0, q3_k_block_bytes);
  encode_scaled(
      in, -4, -32, block + 108,
      [=](int j, int s) {
        block[96 + (j & 7)] |= (unsigned char)(((s + 32) & 15) << j / 8 * 4);
        block[104 + (j & 3)] |= (unsigned char)((s + 32) >> 4 << j / 4 * 2);
      },
      [=](int i, int level) {
        const int q = level + 4;
        block[i & 31] |= (unsigned char)(q >> 2 << i / 32);
        block[32 + i / 128 * 32 + (i & 31)] |= (unsigned char)((q & 3) << (i & 127) / 32 * 2);
      });
}
#define PENSIEVE_CODEC_ENCODER &q3_k_encode
#endif
