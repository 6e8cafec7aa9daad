// IQ4_NL: 32 weights in 18 bytes: scale d as a half, then 16 bytes of nibbles laid out as in Q4_0;
// weight = d * table[nibble], a fixed table of unevenly spaced levels.
enum { iq4_nl_ggml_type = 20, iq4_nl_block_elements = 32, iq4_nl_block_bytes = 18 };

PENSIEVE_CONSTANT signed char iq4_nl_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                   1,    13,   25,  38,  53,  69,  89,  113};

PENSIEVE_FN void iq4_nl_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[0] | block[1] << 8));
  const int shift = first < 16 ? 0 : 4;
  for (int i = 0; i < 8; ++i) out[i] = d * (float)iq4_nl_levels[(block[2 + (first & 15) + i] >> shift) & 15];
}

#ifdef PENSIEVE_HOST
static int iq4_nl_nearest(float value) {
  int best = 0;
  for (int i = 1; i < 16; ++i) {
    if (fabsf(value - (float)iq4_nl_levels[i]) < fabsf(value - (float)iq4_nl_levels[best])) best = i;
  }
  return best;
}

// The scale for which scale * level comes nearest to 32 values, by least squares over a few candidates.
static float iq4_nl_scale(const float* in) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) {
    const float value = finite_or_zero(in[i]);
    largest = fabsf(value) > fabsf(largest) ? value : largest;
  }
  if (largest == 0.0F) return 0.0F;
  double best_gain = -1.0;
  float best = 0.0F;
  for (int step = -7; step <= 7; ++step) {
    const float inverse = ((float)iq4_nl_levels[0] + (float)step) / largest;
    double with_x = 0.0, with_q = 0.0;
    for (int i = 0; i < 32; ++i) {
      const float value = finite_or_zero(in[i]);
      const double level = iq4_nl_levels[iq4_nl_nearest(value * inverse)], weight = (double)value * (double)value;
      with_x += weight * (double)value * level;
      with_q += weight * level * level;
    }
    if (with_q > 0.0 && with_x * with_x / with_q > best_gain) {
      best_gain = with_x * with_x / with_q;
      best = (float)(with_x / with_q);
    }
  }
  return best;
}

static void iq4_nl_encode(const float* in, unsigned char* block) {
  memset(block, 0, iq4_nl_block_bytes);
  const unsigned short d_bits = float_to_half(iq4_nl_scale(in));
  memcpy(block, &d_bits, 2);
  const float inverse = inverse_of(half_to_float(d_bits));
  for (int i = 0; i < 32; ++i)
    block[2 + (i & 15)] |= (unsigned char)(iq4_nl_nearest(finite_or_zero(in[i]) * inverse) << i / 16 * 4);
}
#define PENSIEVE_CODEC_ENCODER &iq4_nl_encode
#endif
