// embed: one decoded row of the table for each row of the batch.
#include "hal/reference/ops.h"

namespace pensieve::hal::reference {

void embed(const WeightMatrix& table, std::span<const std::int32_t> indices, float* out) {
  for (const std::int32_t index : indices) {
    decode_row(*table.codec, table.row(static_cast<std::size_t>(index)), table.columns, out);
    out += table.columns;
  }
}

}  // namespace pensieve::hal::reference
