// Q8_0: 32 weights in 34 bytes: scale d as a half, then 32 signed bytes q; weight i = d * q.
enum { q8_0_ggml_type = 8, q8_0_block_elements = 32, q8_0_block_bytes = 34 };

PENSIEVE_FN void q8_0_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  for (int i = 0; i < 8; ++i) out[i] = d * (float)(signed char)block[2 + first + i];
}

#ifdef PENSIEVE_HOST
// Rounds half away from zero.
static void q8_0_encode(const float* in, unsigned char* block) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) largest = fabsf(in[i]) > largest ? fabsf(in[i]) : largest;
  const float d = largest / 127.0F;
  const float inverse = d != 0.0F ? 1.0F / d : 0.0F;
  const unsigned short d_bits = float_to_half(d);
  memcpy(block, &d_bits, 2);
  for (int i = 0; i < 32; ++i) {
    float q = in[i] * inverse;
    q = q > -127.0F ? q : -127.0F;  // also where it is not a number
    q = q < 127.0F ? q : 127.0F;
    block[2 + i] = (unsigned char)(signed char)(int)(q < 0.0F ? q - 0.5F : q + 0.5F);
  }
}
#define PENSIEVE_CODEC_ENCODER &q8_0_encode
#endif
