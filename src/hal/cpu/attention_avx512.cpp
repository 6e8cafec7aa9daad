// Attention kernels, compiled for avx512: called only after run-time dispatch (isa.cpp). The algorithm is
// attention_kernel.h.
#if defined(__x86_64__)
// The vectors come before what uses them.
// clang-format off
#include "hal/cpu/simd_avx512.h"
#include "hal/cpu/attention_kernel.h"
// clang-format on
#include "hal/cpu/isa.h"

namespace pensieve::hal::cpu {
void use_attention_avx512(Kernels& table) {
  use_attention(table);
}
}  // namespace pensieve::hal::cpu
#endif
