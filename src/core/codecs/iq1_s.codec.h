// IQ1_S: 256 weights in 50 bytes: scale d as a half; 32 bytes, one for eight weights: the lower part of the
// number of eight levels in a table; eight words of 16 bits, one for 32 weights: four times the numbers' upper
// three bits, a 3-bit scale s, and the sign of a shift by 1/8. Weight = d * (2 s + 1) * (level + shift).
enum { iq1_s_ggml_type = 19, iq1_s_block_elements = 256, iq1_s_block_bytes = 50 };

#include "core/codecs/iq1_grid.h"

PENSIEVE_FN void iq1_s_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  PENSIEVE_GLOBAL const unsigned char* at = block + 34 + 2 * (first / 32);
  const unsigned int word = at[0] | at[1] << 8;
  const float scale = d * (float)(2 * (word >> 12 & 7) + 1);
  const float shift = word >> 15 ? -0.125f : 0.125f;
  const int eight = first / 8;
  const unsigned int grid = iq1_grid[block[2 + eight] | (word >> 3 * (eight & 3) & 7) << 8];
  for (int i = 0; i < 8; ++i) out[i] = scale * ((float)((int)(grid >> 2 * i & 3) - 1) + shift);
}

#ifdef PENSIEVE_HOST
#define PENSIEVE_CODEC_ENCODER nullptr
#endif
