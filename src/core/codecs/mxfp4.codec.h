// MXFP4 (OCP Microscaling Formats 1.0): 32 weights in 17 bytes: a shared exponent e (power of two, bias 127),
// then 16 bytes of 4-bit floats (sign, two exponent bits, one fraction bit) laid out as in Q4_0. Weight =
// 2^(e - 127) * float.
enum { mxfp4_ggml_type = 39, mxfp4_block_elements = 32, mxfp4_block_bytes = 17 };

// Twice the value of a 4-bit float, so that the levels are whole: 0 1 2 3 4 6 8 12.
PENSIEVE_CONSTANT signed char mxfp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

PENSIEVE_FN void mxfp4_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const unsigned int e = block[0];
  // Half the shared scale; the two smallest are subnormal singles.
  const float half_scale = PENSIEVE_FLOAT_FROM_BITS(e < 2 ? 0x00200000U << e : (e - 1) << 23);
  const int shift = first < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i)
    out[i] = half_scale * (float)mxfp4_levels[(block[1 + (first & 15) + i] >> shift) & 15];
}

#ifdef PENSIEVE_HOST
// The exponent that puts the largest magnitude below 8, as the format's specification has it; then the nearest
// level.
static void mxfp4_encode(const float* in, unsigned char* block) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) largest = fmaxf(largest, fabsf(finite_or_zero(in[i])));
  int exponent = 0;
  if (largest > 0.0F) frexpf(largest, &exponent);  // largest = f * 2^exponent, f in [0.5, 1)
  const int e = largest > 0.0F ? nearest_level((float)(exponent - 3 + 127), 0, 254) : 0;
  memset(block, 0, mxfp4_block_bytes);
  block[0] = (unsigned char)e;
  const float half_scale = float_from_bits(e < 2 ? 0x00200000U << e : (unsigned int)(e - 1) << 23);
  for (int i = 0; i < 32; ++i) {
    const float value = finite_or_zero(in[i]);
    int best = value < 0.0F ? 8 : 0;
    for (int level = best, end = best + 8; level < end; ++level) {
      const float off = fabsf(value - half_scale * (float)mxfp4_levels[level]);
      if (off < fabsf(value - half_scale * (float)mxfp4_levels[best])) best = level;
    }
    block[1 + (i & 15)] |= (unsigned char)(best << i / 16 * 4);
  }
}
#define PENSIEVE_CODEC_ENCODER &mxfp4_encode
#endif
