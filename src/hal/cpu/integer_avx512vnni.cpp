// Products with quantized weights, compiled for avx512vnni: called only after run-time dispatch (isa.cpp).
// The algorithm is integer_linear.h.
#if defined(__x86_64__)
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_avx512.h"
#include "hal/cpu/integer_linear.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_integer_avx512vnni(Kernels& table) {
  use_integer_linear(table);
}
}  // namespace pensieve::hal::cpu
#endif
