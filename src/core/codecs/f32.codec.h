// F32: plain IEEE single precision, little-endian, one weight a block. Also the exact way to keep keys and
// values.
enum { f32_ggml_type = 0, f32_block_elements = 1, f32_block_bytes = 4 };

PENSIEVE_FN void f32_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  for (int i = 0; i < 8; ++i) {
    PENSIEVE_GLOBAL const unsigned char* at = block + 4 * (first + i);
    out[i] = PENSIEVE_FLOAT_FROM_BITS((unsigned int)at[0] | (unsigned int)at[1] << 8 |
                                      (unsigned int)at[2] << 16 | (unsigned int)at[3] << 24);
  }
}

#ifdef PENSIEVE_HOST
static void f32_encode(const float* in, unsigned char* block) {
  memcpy(block, in, 32);
}
#define PENSIEVE_CODEC_ENCODER &f32_encode
#endif
