// Perplexity over consecutive chunks, counted as llama-perplexity does: chunks of N tokens, an incomplete
// last one dropped; in each, rows N/2 .. N-2 predict their next token. A model that adds a begin token has it
// in place of each chunk's first.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <span>

#include "core/result.h"
#include "core/tokenizer.h"
#include "tools/forward.h"

namespace pensieve::tools {

struct Perplexity {
  double negative_log_likelihood = 0;  // natural log, summed over the scored tokens
  std::int64_t tokens = 0, chunks = 0;
  double value() const { return std::exp(negative_log_likelihood / static_cast<double>(tokens)); }
};

// -log of the probability that softmax(logits) gives to `token`.
double surprise(std::span<const float> logits, std::int32_t token);

// Whether the model puts its begin token before a text.
bool adds_begin_token(const Tokenizer& tokenizer);

// `advanced` hears of the tokens of each chunk done.
Result<Perplexity> measure_perplexity(Forward& forward, std::span<const std::int32_t> tokens,
                                      std::int64_t context,
                                      const std::function<void(std::int64_t)>& advanced);

}  // namespace pensieve::tools
