// scale: a value times a constant.
#include "hal/reference/ops.h"

namespace pensieve::hal::reference {

void scale(const ScaleParams& params, const float* in, std::size_t elements, float* out) {
  for (std::size_t i = 0; i < elements; ++i) out[i] = params.factor * in[i];
}

}  // namespace pensieve::hal::reference
