// What every kernel file shares: launches that may overlap their predecessor's end, reductions, 16-byte
// access. Not for anything that only one kernel needs.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "hal/cuda/kernels.h"

namespace pensieve::hal::cuda {

// Kernels are launched before their predecessor has ended; what it wrote may be read only after this.
// Every kernel calls it, so that one that has passed it knows of all earlier ones that they have ended.
__device__ __forceinline__ void wait_for_predecessor() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

inline bool overlaps_launches() {
  int device = 0, major = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  return major >= 9;
}

// `beside`: for kernels whose blocks are to lie on a multiprocessor together with those of their neighbours,
// which they do only if all want its memory split alike.
template <class... Parameters, class... Arguments>
void launch_as(bool beside, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared,
               cudaStream_t stream, Arguments... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  cudaLaunchAttribute attributes[2] = {};
  config.attrs = attributes;
  if (overlaps_launches()) {
    attributes[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[config.numAttrs++].val.programmaticStreamSerializationAllowed = 1;
  }
  if (beside) {
    attributes[config.numAttrs].id = cudaLaunchAttributePreferredSharedMemoryCarveout;
    attributes[config.numAttrs++].val.sharedMemCarveout = cudaSharedmemCarveoutMaxShared;
  }
  cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream,
            Arguments... arguments) {
  launch_as(false, kernel, grid, block, shared, stream, arguments...);
}

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xFFFFFFFFU, x, offset);
  return x;
}
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFU, x, offset));
  return x;
}
// Sum over a block of whole warps; `shared` has 33 floats. Every thread gets it.
__device__ __forceinline__ float block_sum(float x, float* shared) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  x = warp_sum(x);
  __syncthreads();
  if (lane == 0) shared[warp] = x;
  __syncthreads();
  x = lane < warps ? shared[lane] : 0.0F;
  return warp_sum(x);
}

__device__ __forceinline__ std::uint32_t shared_address(const void* at) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(at));
}
__device__ __forceinline__ uint4 load16(const void* at) {
  return __ldg(static_cast<const uint4*>(at));
}
__device__ __forceinline__ float half_bits(unsigned short bits) {
  return __half2float(__ushort_as_half(bits));
}
__device__ __forceinline__ float2 half_pair(std::uint32_t bits) {
  return __half22float2(*reinterpret_cast<const __half2*>(&bits));
}
__device__ __forceinline__ float2 bfloat_pair(std::uint32_t bits) {
  return {__uint_as_float(bits << 16), __uint_as_float(bits & 0xFFFF0000U)};
}
__device__ __forceinline__ std::uint32_t pack_bfloat(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}
__device__ __forceinline__ std::uint32_t pack_half(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}

__device__ __forceinline__ float apply_activation(Act kind, float x) {
  switch (kind) {
    case Act::none:
      return x;
    case Act::silu:
      return x / (1.0F + expf(-x));
    case Act::gelu:
      return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
    case Act::gelu_tanh:
      return 0.5F * x * (1.0F + tanhf(0.79788456080286536F * (x + 0.044715F * x * x * x)));
    case Act::relu:
      return fmaxf(x, 0.0F);
  }
  return x;
}

// Scales and minima of sub-blocks 2 pair and 2 pair + 1 of a q4_k header, two bytes each.
__device__ __forceinline__ void q4_k_scales(uint4 header, int pair, std::uint32_t& scales,
                                            std::uint32_t& minima) {
  const int shift = 16 * (pair & 1);
  if (pair < 2) {
    scales = header.y >> shift & 0x3F3FU;
    minima = header.z >> shift & 0x3F3FU;
  } else {
    scales = (header.w >> shift & 0x0F0FU) | (header.y >> shift & 0xC0C0U) >> 2;
    minima = (header.w >> (shift + 4) & 0x0F0FU) | (header.z >> shift & 0xC0C0U) >> 2;
  }
}

}  // namespace pensieve::hal::cuda
