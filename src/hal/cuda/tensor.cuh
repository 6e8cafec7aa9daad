// What kernels on the tensor cores share: asynchronous copies into shared memory and fragments out of it.
#pragma once

#include "hal/cuda/device.cuh"

namespace pensieve::hal::cuda {

// Copies 16 bytes, or zeros.
__device__ __forceinline__ void copy_async(std::uint32_t to, const void* from, bool real) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(real ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void load_fragments(std::uint32_t (&f)[4], std::uint32_t at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
               : "r"(at));
}
__device__ __forceinline__ void load_turned(std::uint32_t (&f)[4], std::uint32_t at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
               : "r"(at));
}

}  // namespace pensieve::hal::cuda
