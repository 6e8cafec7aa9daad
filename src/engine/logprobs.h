// Log-probabilities of tokens as the model gave them: the log-softmax of the raw logits, before any sampler.
// Not for choosing tokens (sampler.h). Thread rule: one thread at a time (scratch memory is reused between
// calls).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/generation.h"
#include "core/tokenizer.h"
#include "engine/candidates.h"

namespace pensieve::engine {

class LogprobReader {
 public:
  explicit LogprobReader(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // log p(token) and the `top` most probable tokens, best first, equal ones by id. NaN counts as -inf, +inf
  // as the largest float. Fewer than `top` only when fewer tokens are possible.
  TokenLogprob read(std::span<const float> logits, std::int32_t token, std::int32_t top);
  // For the first token of a prompt, which nothing predicts.
  TokenLogprob unknown(std::int32_t token) const;

 private:
  const Tokenizer& tokenizer_;
  std::vector<float> row_;
  std::vector<float> weights_;
  std::vector<Candidate> best_;
};

}  // namespace pensieve::engine
