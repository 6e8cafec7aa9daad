// TQ2_0: 256 weights of -1, 0 or 1 in 66 bytes: twice 32 bytes, each with four weights of two bits that stand
// 32 apart, raised by one; then scale d as a half. Weight = d * (q - 1).
enum { tq2_0_ggml_type = 35, tq2_0_block_elements = 256, tq2_0_block_bytes = 66 };

PENSIEVE_FN void tq2_0_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[64] | block[65] << 8));
  PENSIEVE_GLOBAL const unsigned char* quants = block + first / 128 * 32 + (first & 31);
  const int shift = (first & 127) / 32 * 2;
  for (int i = 0; i < 8; ++i) out[i] = d * (float)((quants[i] >> shift & 3) - 1);
}

#ifdef PENSIEVE_HOST
// The scale is the largest magnitude; each weight becomes the nearest of -d, 0 and d, and what is no number 0.
static int tq2_0_nearest(float value) { return value >= 0.5f ? 2 : value <= -0.5f ? 0 : 1; }

static void tq2_0_encode(const float* in, unsigned char* block) {
  float largest = 0;
  for (int i = 0; i < 256; ++i) largest = std::fmax(largest, std::fabs(in[i]));
  const float inverse = largest > 0 ? 1 / largest : 0;
  std::memset(block, 0, 64);
  for (int i = 0; i < 256; ++i) {
    const int quant = tq2_0_nearest(in[i] * inverse);
    block[i / 128 * 32 + (i & 31)] |= (unsigned char)(quant << (i & 127) / 32 * 2);
  }
  const unsigned short d = ::pensieve::float_to_half(largest);
  std::memcpy(block + 64, &d, 2);
}
#define PENSIEVE_CODEC_ENCODER &tq2_0_encode
#endif
