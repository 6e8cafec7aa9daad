// BF16: the upper half of an IEEE single, little-endian, one weight a block.
enum { bf16_ggml_type = 30, bf16_block_elements = 1, bf16_block_bytes = 2 };

PENSIEVE_FN void bf16_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  for (int i = 0; i < 8; ++i) {
    PENSIEVE_GLOBAL const unsigned char* at = block + 2 * (first + i);
    out[i] = PENSIEVE_FLOAT_FROM_BITS((unsigned int)at[0] << 16 | (unsigned int)at[1] << 24);
  }
}

#ifdef PENSIEVE_HOST
static void bf16_encode(const float* in, unsigned char* block) {
  for (int i = 0; i < 8; ++i) {
    const unsigned short bits = float_to_bfloat(in[i]);
    memcpy(block + 2 * i, &bits, 2);
  }
}
#define PENSIEVE_CODEC_ENCODER &bf16_encode
#endif
