// Log-likelihoods in double precision over the logits of each chunk's second half.
#include "tools/perplexity.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace pensieve::tools {

double surprise(std::span<const float> logits, std::int32_t token) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum) - logits[static_cast<std::size_t>(token)];
}

bool adds_begin_token(const Tokenizer& tokenizer) {
  std::vector<std::int32_t> special;
  tokenizer.encode("", {true, false}, special);
  return !special.empty() && special.front() == tokenizer.begin_token();
}

Result<Perplexity> measure_perplexity(Forward& forward, std::span<const std::int32_t> tokens,
                                      std::int64_t context,
                                      const std::function<void(std::int64_t)>& advanced) {
  const auto count = static_cast<std::int64_t>(tokens.size());
  if (count < 2 * context) {
    return fail(Error::Code::invalid,
                fmt::format("the text has {} tokens, at least {} (two chunks of --context {}) are needed",
                            count, 2 * context, context),
                "file");
  }
  const Tokenizer& tokenizer = *forward.model().tokenizer;
  const bool begin = adds_begin_token(tokenizer);
  const auto vocabulary = static_cast<std::size_t>(forward.model().graph.vocabulary);
  Perplexity result;
  for (; (result.chunks + 1) * context <= count; ++result.chunks) {
    const auto first = tokens.begin() + result.chunks * context;
    std::vector<std::int32_t> chunk(first, first + context);
    if (begin) chunk.front() = tokenizer.begin_token();
    forward.truncate(0, 0);
    std::size_t row = static_cast<std::size_t>(context / 2);
    const auto score = [&](std::span<const float> rows) -> Result<> {
      for (; !rows.empty(); rows = rows.subspan(vocabulary), ++row) {
        result.negative_log_likelihood += surprise(rows.first(vocabulary), chunk[row + 1]);
        ++result.tokens;
      }
      return {};
    };
    // The last token predicts nothing that is scored.
    const Result<> read = forward.read(0, std::span(chunk).first(chunk.size() - 1), context / 2, 0, score);
    if (!read) return tl::unexpected(read.error());
    advanced(context);
  }
  return result;
}

}  // namespace pensieve::tools
