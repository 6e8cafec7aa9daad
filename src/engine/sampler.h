// Sampler: one token from one row of logits, of those that a mask allows. Not for making masks
// (constraint/matcher.h) or for log-probabilities shown to users (logprobs.h). Thread rule: one thread at a
// time (scratch memory is reused between calls).
//
// NaN counts as -inf, +inf as the largest float. Applied in this order (core/sampling.h), l = logit, p =
// softmax of what is left:
//   logit_bias         l += bias
//   repeat_penalty     for tokens among the last repeat_last_n: l = l > 0 ? l / r : l * r
//                      (Keskar et al. 2019, arXiv 1909.05858, with the sign fix that all implementations
//                      share)
//   frequency, presence  l -= count * frequency + presence, for the same tokens (OpenAI's definition)
//   top_k              the k largest (Fan et al. 2018, arXiv 1805.04833); equal logits: the lower ids
//   typical_p          tokens in order of |-ln p - entropy|, until their mass reaches typical_p (Meister et
//   al. 2022, arXiv 2202.00666) top_p              tokens in order of p, until their mass reaches top_p
//   (Holtzman et al. 2019, arXiv 1904.09751) min_p              tokens with p >= min_p * largest p (Nguyen et
//   al. 2024, arXiv 2407.01082) temperature        p ~ exp(l / temperature); 0: the token with the largest l,
//   the lowest id among equals
// Every filter keeps at least one token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "core/sampling.h"
#include "engine/candidates.h"

namespace pensieve::engine {

class Sampler {
 public:
  // `history`: prompt and answer so far. `random`: random_at(seed, choice, position). `allowed`: a bit for
  // each token, the others cannot be drawn; empty: all can. An error when no token is possible.
  Result<std::int32_t> draw(std::span<const float> logits, const SamplingParams& params,
                            std::span<const std::int32_t> history, std::uint64_t random,
                            std::span<const std::uint64_t> allowed = {});

 private:
  void adjust(const SamplingParams& params, std::span<const std::int32_t> history);
  void filter(const SamplingParams& params, float largest);
  double gather(const SamplingParams& params, float largest);  // answers the sum of all weights
  std::int32_t largest_candidate() const;
  std::int32_t draw_candidate(float temperature, std::uint64_t random);

  std::vector<float> row_;      // the logits, cleaned and adjusted
  std::vector<float> weights_;  // exp(l - largest), where a whole row needs it
  std::vector<Candidate> candidates_;
  std::vector<std::int32_t> counts_;  // by token, all zero between calls
  std::vector<std::int32_t> seen_;    // tokens with a count
};

}  // namespace pensieve::engine
