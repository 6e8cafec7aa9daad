// IQ1_M: 256 weights in 56 bytes: 32 bytes, one for eight weights: the lower part of the number of eight levels
// in a table; 16 bytes with, for each eight weights, the numbers' upper three bits and the sign of a shift by
// 1/8; four words of 16 bits: four 3-bit scales s each, one for 16 weights, and above them a quarter of the
// half-precision scale d. Weight = d * (2 s + 1) * (level + shift).
enum { iq1_m_ggml_type = 29, iq1_m_block_elements = 256, iq1_m_block_bytes = 56 };

#include "core/codecs/iq1_grid.h"

PENSIEVE_FN void iq1_m_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  PENSIEVE_GLOBAL const unsigned char* scales = block + 48;
  const int bits = scales[1] >> 4 | (scales[3] & 240) | (scales[5] >> 4) << 8 | (scales[7] >> 4) << 12;
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)bits);
  const int sixteen = first / 16;
  const int word = scales[sixteen / 4 * 2] | scales[sixteen / 4 * 2 + 1] << 8;
  const float scale = d * (float)(2 * (word >> 3 * (sixteen & 3) & 7) + 1);
  const int eight = first / 8;
  const int upper = block[32 + eight / 2] >> 4 * (eight & 1);
  const float shift = upper & 8 ? -0.125f : 0.125f;
  const unsigned int grid = iq1_grid[block[eight] | (upper & 7) << 8];
  for (int i = 0; i < 8; ++i) out[i] = scale * ((float)((int)(grid >> 2 * i & 3) - 1) + shift);
}

#ifdef PENSIEVE_HOST
#define PENSIEVE_CODEC_ENCODER nullptr
#endif
