// A warp's ring of weight segments in shared memory, filled ahead by bulk copies (compute capability 9.0) or
// 16-byte asynchronous copies (8.x). Only the owning warp touches it; all its lanes call everything together.
#pragma once

#include "hal/cuda/device.cuh"

namespace pensieve::hal::cuda {

constexpr int kMostSlots = 8;
constexpr int kCopySlots = 3;  // with 16-byte copies: how many are waited for is a constant of the code

class Ring {
 public:
  // `barriers` has kMostSlots times 8 bytes of this warp alone.
  __device__ __forceinline__ Ring(unsigned char* at, int slot_bytes, int slots, unsigned char* barriers)
      : at_(shared_address(at)), slot_bytes_(slot_bytes), slots_(slots), barriers_(shared_address(barriers)) {
#if __CUDA_ARCH__ >= 900
    const int lane = threadIdx.x % 32;
    if (lane < slots_) asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barriers_ + lane * 8));
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    __syncwarp();
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy_));
#endif
  }

  // Asks for `bytes`, a multiple of 16, into the next slot; it must have been released.
  __device__ __forceinline__ void fill(const unsigned char* from, int bytes) {
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x % 32 == 0) {
      const std::uint32_t barrier = barriers_ + filled_ * 8;
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                   : "memory");
      asm volatile(
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, "
          "[%3], %4;" ::"r"(at_ + filled_ * slot_bytes_),
          "l"(from), "r"(bytes), "r"(barrier), "l"(policy_)
          : "memory");
    }
#else
    const std::uint32_t to = at_ + filled_ * slot_bytes_;
    for (int i = threadIdx.x % 32 * 16; i < bytes; i += 512)
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to + i), "l"(from + i) : "memory");
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
    if (++filled_ == slots_) filled_ = 0;
  }
  // In place of a fill when there is nothing left to ask for.
  __device__ __forceinline__ void fill_nothing() {
#if __CUDA_ARCH__ < 900
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
  }

  // Waits for the oldest slot that was filled.
  __device__ __forceinline__ std::uint32_t take() {
#if __CUDA_ARCH__ >= 900
    asm volatile(
        "{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@done bra over;\nbra again;\nover:\n}" ::"r"(barriers_ + taken_ * 8),
        "r"(phase_)
        : "memory");
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(kCopySlots - 1) : "memory");
    __syncwarp();
#endif
    return at_ + taken_ * slot_bytes_;
  }
  __device__ __forceinline__ void release() {
    __syncwarp();
    if (++taken_ == slots_) {
      taken_ = 0;
      phase_ ^= 1;
    }
  }

 private:
  std::uint32_t at_;
  int slot_bytes_, slots_, filled_ = 0, taken_ = 0;
  std::uint32_t barriers_, phase_ = 0;
  std::uint64_t policy_ = 0;
};

}  // namespace pensieve::hal::cuda
