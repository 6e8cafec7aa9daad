// embed: out[r] = table[token(r)], one row of a [vocabulary, width] weight for each row of the batch.
// Shape: no inputs -> [batch rows, width]. Weights: table.
#pragma once
namespace pensieve {
struct EmbedParams {};
}  // namespace pensieve
