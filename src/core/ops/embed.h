// embed: out[r] = table[index(r)], one row of a [rows, width] weight for each row of the batch.
// The index is the row's token (table: [vocabulary, width]), its position, or its segment (BERT's token
// types: 0, in the second text of a pair 1). Shape: no inputs -> [batch rows, width]. Weights: table.
#pragma once
#include <cstdint>
namespace pensieve {
struct EmbedParams {
  enum class Index : std::uint8_t { token, position, segment } index = Index::token;
};
}  // namespace pensieve
