// Row kernels, compiled for avx2: called only after run-time dispatch (isa.cpp). The algorithm is
// element_kernel.h.
#if defined(__x86_64__)
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_avx2.h"
#include "hal/cpu/element_kernel.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_row_avx2(Kernels& table) {
  use_elements(table);
}
}  // namespace pensieve::hal::cpu
#endif
