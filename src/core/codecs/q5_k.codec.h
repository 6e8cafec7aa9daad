// Q5_K: 256 weights in 176 bytes: as Q4_K (halves d and dmin, 12 bytes of 6-bit scales s and minima m, 128
// bytes of nibbles), with 32 bytes of fifth bits before the nibbles: bit j of byte i belongs to weight 32 j +
// i. Weight = (d * s) * q - dmin * m.
enum { q5_k_ggml_type = 13, q5_k_block_elements = 256, q5_k_block_bytes = 176 };

PENSIEVE_FN void q5_k_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const float dmin = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[2] | block[3] << 8));
  PENSIEVE_GLOBAL const unsigned char* packed = block + 4;
  const int j = first / 32;
  const int s = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
  const int m = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
  const float scale = d * (float)s, minimum = dmin * (float)m;
  PENSIEVE_GLOBAL const unsigned char* fifth = block + 16 + (first & 31);
  PENSIEVE_GLOBAL const unsigned char* nibbles = block + 48 + first / 64 * 32 + (first & 31);
  const int shift = (j & 1) * 4;
  for (int i = 0; i < 8; ++i) {
    const int q = ((nibbles[i] >> shift) & 15) | ((fifth[i] >> j) & 1) << 4;
    out[i] = scale * (float)q - minimum;
  }
}

#ifdef PENSIEVE_HOST
static void q5_k_encode(const float* in, unsigned char* block) {
  memset(block, 0, q5_k_block_bytes);
  encode_ranges<32>(
      in, 31, 63, block, [=](int j, int s, int m) { put_six_bits(block + 4, j, s, m); },
      [=](int i, int q) {
        block[16 + (i & 31)] |= (unsigned char)(q >> 4 << i / 32);
        block[48 + i / 64 * 32 + (i & 31)] |= (unsigned char)((q & 15) << (i / 32 & 1) * 4);
      });
}
#define PENSIEVE_CODEC_ENCODER &q5_k_encode
#endif
