// embed: out[r] = table[index(r)], one row of a [rows, width] weight for each row of the batch.
// The index is the row's token (table: [vocabulary, width]), its position, or always 0 (the first token type
// of BERT). Shape: no inputs -> [batch rows, width]. Weights: table.
#pragma once
#include <cstdint>
namespace pensieve {
struct EmbedParams {
  enum class Index : std::uint8_t { token, position, zero } index = Index::token;
};
}  // namespace pensieve
