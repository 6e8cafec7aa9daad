// embed: one decoded row of the table for each token.
#include "hal/reference/ops.h"

namespace pensieve::hal::reference {

void embed(const WeightMatrix& table, std::span<const std::int32_t> tokens, float* out) {
  for (const std::int32_t token : tokens) {
    decode_row(*table.codec, table.row(static_cast<std::size_t>(token)), table.columns, out);
    out += table.columns;
  }
}

}  // namespace pensieve::hal::reference
