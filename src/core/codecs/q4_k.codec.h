// Q4_K: 256 weights in 144 bytes: scales d and dmin as halves, 12 bytes that pack eight 6-bit scales s and
// eight 6-bit minima m (one of each for 32 weights), then 128 bytes of nibbles. Weight = (d * s) * q - dmin *
// m; of each 32 bytes of nibbles the low halves are the first 32 weights of 64, the high halves the others.
enum { q4_k_ggml_type = 12, q4_k_block_elements = 256, q4_k_block_bytes = 144 };

PENSIEVE_FN void q4_k_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const float dmin = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[2] | block[3] << 8));
  PENSIEVE_GLOBAL const unsigned char* packed = block + 4;
  const int j = first / 32;
  const int s = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
  const int m = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
  const float scale = d * (float)s, minimum = dmin * (float)m;
  PENSIEVE_GLOBAL const unsigned char* nibbles = block + 16 + first / 64 * 32 + (first & 31);
  const int shift = (j & 1) * 4;
  for (int i = 0; i < 8; ++i) out[i] = scale * (float)((nibbles[i] >> shift) & 15) - minimum;
}

#ifdef PENSIEVE_HOST
static void q4_k_encode(const float* in, unsigned char* block) {
  memset(block, 0, q4_k_block_bytes);
  encode_ranges<32>(
      in, 15, 63, block, [=](int j, int s, int m) { put_six_bits(block + 4, j, s, m); },
      [=](int i, int q) { block[16 + i / 64 * 32 + (i & 31)] |= (unsigned char)(q << (i / 32 & 1) * 4); });
}
#define PENSIEVE_CODEC_ENCODER &q4_k_encode
#endif
