// SamplingParams: how the next token is chosen from the logits of one row. Applied in the order of the
// fields. Not for limits on length or stop strings (core/generation.h). Definitions of each sampler:
// engine/sampler.h.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace pensieve {

struct SamplingParams {
  std::vector<std::pair<std::int32_t, float>> logit_bias;  // token id, added to its logit
  float repeat_penalty = 1.0F;  // > 0; 1: off. Divides positive, multiplies negative logits of recent tokens
  std::int32_t repeat_last_n =
      64;  // tokens (prompt and answer) that the penalties look back on; 0: none, -1: all
  float frequency_penalty = 0.0F;     // -2 .. 2, times the count among those tokens
  float presence_penalty = 0.0F;      // -2 .. 2, once for each token seen among those
  std::int32_t top_k = 0;             // <= 0: off
  float typical_p = 1.0F;             // 1: off
  float top_p = 1.0F;                 // 1: off
  float min_p = 0.0F;                 // 0: off
  float temperature = 1.0F;           // 0: greedy (first of equal maxima)
  std::optional<std::uint64_t> seed;  // nothing: drawn by the engine for each request
};

}  // namespace pensieve
