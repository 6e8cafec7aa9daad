// TQ1_0: 256 weights of -1, 0 or 1 in 54 bytes. A byte holds five weights (the last four bytes: four) as the
// digits of a number in base 3, scaled to 256: ceil(number * 256 / 243), so that a digit comes out of the top
// when the byte is multiplied by 3. 32 bytes hold weights that stand 32 apart, 16 bytes such that stand 16
// apart, four bytes such that stand four apart; then scale d as a half. Weight = d * (digit - 1).
enum { tq1_0_ggml_type = 34, tq1_0_block_elements = 256, tq1_0_block_bytes = 54 };

PENSIEVE_CONSTANT unsigned char tq1_0_powers[5] = {1, 3, 9, 27, 81};

// Where a weight is: its byte, and how many digits come before it.
PENSIEVE_FN int tq1_0_byte(int weight, int* digit) {
  const int start = weight < 160 ? 0 : weight < 240 ? 160 : 240;
  const int apart = weight < 160 ? 32 : weight < 240 ? 16 : 4;
  *digit = (weight - start) / apart;
  return start / 5 + (weight - start) % apart;
}

PENSIEVE_FN void tq1_0_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out) {
  const float d = PENSIEVE_HALF_TO_FLOAT((unsigned short)(block[52] | block[53] << 8));
  for (int i = 0; i < 8; ++i) {
    int digit = 0;
    const unsigned char packed = block[tq1_0_byte(first + i, &digit)];
    const unsigned char rest = (unsigned char)(packed * tq1_0_powers[digit]);
    out[i] = d * (float)((rest * 3 >> 8) - 1);
  }
}

#ifdef PENSIEVE_HOST
// The scale is the largest magnitude; each weight becomes the nearest of -d, 0 and d, and what is no number 0.
static int tq1_0_nearest(float value) { return value >= 0.5f ? 2 : value <= -0.5f ? 0 : 1; }

static void tq1_0_encode(const float* in, unsigned char* block) {
  float largest = 0;
  for (int i = 0; i < 256; ++i) largest = std::fmax(largest, std::fabs(in[i]));
  const float inverse = largest > 0 ? 1 / largest : 0;
  int numbers[52] = {};
  for (int i = 0; i < 256; ++i) {
    int digit = 0;
    const int byte = tq1_0_byte(i, &digit);
    numbers[byte] += tq1_0_nearest(in[i] * inverse) * tq1_0_powers[4 - digit];
  }
  for (int i = 0; i < 52; ++i) block[i] = (unsigned char)((numbers[i] * 256 + 242) / 243);
  const unsigned short d = ::pensieve::float_to_half(largest);
  std::memcpy(block + 52, &d, 2);
}
#define PENSIEVE_CODEC_ENCODER &tq1_0_encode
#endif
