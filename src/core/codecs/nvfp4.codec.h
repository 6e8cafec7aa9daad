// NVFP4 as GGUF files hold it: 64 weights in 36 bytes: four scales (8-bit floats without sign: four bits of
// exponent, bias 7, three of fraction), one for 16 weights, then for each eight bytes of 4-bit floats (sign, two
// exponent bits, one fraction bit), the first eight weights in the low nibbles. Weight = scale * float.
enum { nvfp4_ggml_type = 40, nvfp4_block_elements = 64, nvfp4_block_bytes = 36 };

// Twice the value of a 4-bit float, so that the levels are whole.
PENSIEVE_CONSTANT signed char nvfp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// Half of an 8-bit scale; the pattern of all exponent and fraction bits is no number and counts as zero.
PENSIEVE_FN float nvfp4_half_scale(unsigned int bits) {
  const unsigned int exponent = bits >> 3 & 15;
  const unsigned int fraction = bits & 7;
  if (bits == 0x7F) return 0;
  if (exponent == 0) return (float)fraction * 0.0009765625f;  // 2^-9 a step, halved
  return PENSIEVE_FLOAT_FROM_BITS((exponent + 119) << 23 | fraction << 20);
}

PENSIEVE_FN void nvfp4_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const int group = first / 16;
  const float half_scale = nvfp4_half_scale(block[group]);
  const int shift = (first & 15) < 8 ? 0 : 4;
  for (int i = 0; i < 8; ++i)
    out[i] = half_scale * (float)nvfp4_levels[block[4 + 8 * group + i] >> shift & 15];
}

#ifdef PENSIEVE_HOST
#define PENSIEVE_CODEC_ENCODER nullptr
#endif
