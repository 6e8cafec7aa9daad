// Products with float weights, compiled for avx2: called only after run-time dispatch (isa.cpp). The
// algorithm is float_linear.h.
#if defined(__x86_64__)
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_avx2.h"
#include "hal/cpu/float_linear.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_float_avx2(Kernels& table) {
  use_float_linear(table);
}
}  // namespace pensieve::hal::cpu
#endif
