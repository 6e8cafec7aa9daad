// The choice of a token where no chance is in it: the first of a row's largest logits. Not for other
// samplers, which the engine runs on the host.
#include "hal/cuda/device.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kThreads = 256, kBlocks = 64;

// Orders like the value, then by the smaller column; never 0.
__device__ __forceinline__ unsigned long long rank_of(float value, int column) {
  const std::uint32_t bits = __float_as_uint(value),
                      ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<unsigned long long>(ordered) << 32 | (0xFFFFFFFFU - static_cast<std::uint32_t>(column));
}

// Grid (blocks of a row, rows); the last block of a row to arrive writes its token.
__global__ void __launch_bounds__(kThreads)
    first_largest(const float* logits, int width, unsigned long long* best, int* arrivals, int* tokens) {
  __shared__ unsigned long long of_warps[kThreads / 32];
  wait_for_predecessor();
  const int row = blockIdx.y, lane = threadIdx.x % 32;
  const float* from = logits + static_cast<std::size_t>(row) * width;
  unsigned long long top = 0;
#pragma unroll 8
  for (int column = blockIdx.x * kThreads + threadIdx.x; column < width; column += kBlocks * kThreads)
    top = max(top, rank_of(from[column], column));
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) top = max(top, __shfl_xor_sync(0xFFFFFFFFU, top, offset));
  if (lane == 0) of_warps[threadIdx.x / 32] = top;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int i = 1; i < kThreads / 32; ++i) top = max(top, of_warps[i]);
  atomicMax(best + row, top);
  __threadfence();
  if (atomicAdd(arrivals + row, 1) != kBlocks - 1) return;
  tokens[row] = static_cast<int>(0xFFFFFFFFU - static_cast<std::uint32_t>(atomicExch(best + row, 0ULL)));
  arrivals[row] = 0;
}

}  // namespace

void draw_greedy(const float* logits, int rows, int width, unsigned long long* best, int* arrivals,
                 int* tokens, cudaStream_t stream) {
  launch(first_largest, dim3(kBlocks, rows), kThreads, 0, stream, logits, width, best, arrivals, tokens);
}

}  // namespace pensieve::hal::cuda
