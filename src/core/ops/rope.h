// rope: rotates pairs of `rotary_width` columns of each head, from `first_column` on, by position-dependent
// angles. Pair i has angle position * base^(-2i / rotary_width) / factor[i], factor from the optional weight
// (Llama 3, longrope) or 1. interleaved pairs columns (2i, 2i+1); halves pairs (i, i + rotary_width / 2).
// Scaling: `linear` divides the position by `scale_factor`; `yarn` follows arXiv 2309.00071 (blend of
// interpolated and original angles between beta_fast and beta_slow). Cosines and sines are multiplied by
// attention_factor. Shape: [rows, heads * head_width] -> same. Weights: optionally the frequency factors, f32
// [rotary_width / 2].
#pragma once
#include <cstdint>
namespace pensieve {
struct RopeParams {
  enum class Pairing : std::uint8_t { interleaved, halves } pairing = Pairing::interleaved;
  enum class Scaling : std::uint8_t { none, linear, yarn } scaling = Scaling::none;
  std::int64_t head_width = 0;
  std::int64_t first_column = 0;
  std::int64_t rotary_width = 0;
  float base = 10000.0F;
  float scale_factor = 1.0F;          // context stretch, >= 1
  std::int64_t original_context = 0;  // yarn: the context the model was trained with
  float attention_factor = 1.0F;
  float beta_fast = 32.0F, beta_slow = 1.0F;
  bool whole_pairs = true;  // yarn: the blend begins and ends at whole pairs
  bool operator==(const RopeParams&) const = default;
};
}  // namespace pensieve
