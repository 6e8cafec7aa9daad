// Products with quantized weights, compiled for scalar: called only after run-time dispatch (isa.cpp). The
// algorithm is integer_linear.h.
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_scalar.h"
#include "hal/cpu/integer_linear.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_integer_scalar(Kernels& table) {
  use_integer_linear(table);
}
}  // namespace pensieve::hal::cpu
