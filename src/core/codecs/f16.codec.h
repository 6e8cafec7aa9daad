// F16: IEEE half precision, little-endian, one weight a block.
enum { f16_ggml_type = 1, f16_block_elements = 1, f16_block_bytes = 2 };

PENSIEVE_FN void f16_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  for (int i = 0; i < 8; ++i) {
    PENSIEVE_GLOBAL const unsigned char* at = block + 2 * (first + i);
    out[i] = PENSIEVE_HALF_TO_FLOAT((unsigned short)(at[0] | at[1] << 8));
  }
}

#ifdef PENSIEVE_HOST
static void f16_encode(const float* in, unsigned char* block) {
  for (int i = 0; i < 8; ++i) {
    const unsigned short bits = float_to_half(in[i]);
    memcpy(block + 2 * i, &bits, 2);
  }
}
#define PENSIEVE_CODEC_ENCODER &f16_encode
#endif
