// Attention kernels, compiled for scalar: called only after run-time dispatch (isa.cpp). The algorithm is
// attention_kernel.h.
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_scalar.h"
#include "hal/cpu/attention_kernel.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_attention_scalar(Kernels& table) {
  use_attention(table);
}
}  // namespace pensieve::hal::cpu
