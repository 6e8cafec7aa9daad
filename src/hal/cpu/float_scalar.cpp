// Products with float weights, compiled for scalar: called only after run-time dispatch (isa.cpp). The
// algorithm is float_linear.h.
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_scalar.h"
#include "hal/cpu/float_linear.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_float_scalar(Kernels& table) {
  use_float_linear(table);
}
}  // namespace pensieve::hal::cpu
