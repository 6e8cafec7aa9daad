// Row kernels, compiled for scalar: called only after run-time dispatch (isa.cpp). The algorithm is
// element_kernel.h.
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_scalar.h"
#include "hal/cpu/element_kernel.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_row_scalar(Kernels& table) {
  use_elements(table);
}
}  // namespace pensieve::hal::cpu
