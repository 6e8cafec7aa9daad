// select_rows: copies the rows whose logits are wanted.
#include <algorithm>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {

void select_rows(std::span<const std::int32_t> wanted, InputRows in, float* out) {
  for (const std::int32_t row : wanted)
    out = std::copy_n(in.row(static_cast<std::size_t>(row)), in.width, out);
}

}  // namespace pensieve::hal::reference
