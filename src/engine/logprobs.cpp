// LogprobReader: ln p(t) = l(t) - largest - ln(sum of exp(l - largest)), the sum in double.
// Bytes are those of tokenizer.bytes with control tokens shown: alternatives would else look alike.
#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/row_math.h"

namespace pensieve::engine {

TokenLogprob LogprobReader::read(std::span<const float> logits, std::int32_t token, std::int32_t top) {
  row_.resize(logits.size());
  clean_row(logits, row_);
  TokenLogprob entry = unknown(token);
  const std::int32_t best = arg_max(row_);
  if (best < 0) return entry;
  const float largest = row_[static_cast<std::size_t>(best)];
  weights_.resize(row_.size());
  const double log_sum = std::log(exponentials(row_, largest, 1.0F, weights_));
  const auto logprob = [&](float logit) {
    return static_cast<float>(static_cast<double>(logit) - largest - log_sum);
  };
  if (token >= 0 && static_cast<std::size_t>(token) < row_.size())
    entry.logprob = logprob(row_[static_cast<std::size_t>(token)]);
  select_top(row_, static_cast<std::size_t>(std::max(top, 0)), best_);
  for (const Candidate& candidate : best_) {
    entry.top.push_back(
        {candidate.token, logprob(candidate.logit), std::string(tokenizer_.bytes(candidate.token, true))});
  }
  return entry;
}

TokenLogprob LogprobReader::unknown(std::int32_t token) const {
  return {.token = token,
          .logprob = std::numeric_limits<float>::quiet_NaN(),
          .bytes = std::string(tokenizer_.bytes(token, true)),
          .top = {}};
}

}  // namespace pensieve::engine
