// add: the sum of two values.
#include "hal/reference/ops.h"

namespace pensieve::hal::reference {

void add(const float* a, const float* b, std::size_t elements, float* out) {
  for (std::size_t i = 0; i < elements; ++i) out[i] = a[i] + b[i];
}

}  // namespace pensieve::hal::reference
