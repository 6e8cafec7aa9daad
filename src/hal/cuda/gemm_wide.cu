// linear for many rows on compute capability 9.0: tiles of 128 rows by 256 outputs through warpgroup matrix
// instructions, fed by tensor copies into a ring of stages; one warp copies, two warpgroups multiply. Weights
// are bf16, as stored or decoded by the caller. A gated pair shares a tile, half each, and leaves it
// multiplied. Not for few rows (stream.cu, gemm.cu) nor for older devices.
#include <cuda.h>

#include "hal/cuda/device.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kRows = 128, kHalf = 128, kDepth = 64, kStages = 4, kThreads = 384;
constexpr int kInputBytes = kRows * kDepth * 2, kHalfBytes = kHalf * kDepth * 2,
              kStageBytes = kInputBytes + 2 * kHalfBytes, kShared = kStages * kStageBytes + 1024;

struct Wide {
  int rows = 0, outputs = 0, tiles = 0;  // tiles: of kDepth columns
  bool gated = false;
  Act activation = Act::none;
  const float* bias = nullptr;
  const float* paired_bias = nullptr;
  const float* residual = nullptr;
  float* out = nullptr;
};

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

__device__ __forceinline__ void wait_for(std::uint32_t barrier, std::uint32_t phase) {
  asm volatile(
      "{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra over;\nbra again;\nover:\n}" ::"r"(barrier),
      "r"(phase)
      : "memory");
}
__device__ __forceinline__ void arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// A box of kDepth columns from (column, row) on.
__device__ __forceinline__ void copy_box(std::uint32_t to, const CUtensorMap& from, int column, int row,
                                         std::uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], "
      "[%4];" ::"r"(to),
      "l"(&from), "r"(column), "r"(row), "r"(barrier)
      : "memory");
}
// Rows of 128 bytes in groups of eight, chunks swapped as the tensor copies leave them.
__device__ __forceinline__ std::uint64_t descriptor(std::uint32_t at) {
  return static_cast<std::uint64_t>(at >> 4 & 0x3FFFU) | 1ULL << 16 | 64ULL << 32 | 1ULL << 62;
}
// c (64 rows, 128 outputs) = a b, plus c when `keep`.
__device__ __forceinline__ void multiply(float (&c)[64], std::uint64_t a, std::uint64_t b, int keep) {
  asm volatile(
      "{\n.reg .pred keep;\nsetp.ne.b32 keep, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "%64, %65, keep, 1, 1, 0, 0;\n}"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]),
        "+f"(c[8]), "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15]),
        "+f"(c[16]), "+f"(c[17]), "+f"(c[18]), "+f"(c[19]), "+f"(c[20]), "+f"(c[21]), "+f"(c[22]),
        "+f"(c[23]), "+f"(c[24]), "+f"(c[25]), "+f"(c[26]), "+f"(c[27]), "+f"(c[28]), "+f"(c[29]),
        "+f"(c[30]), "+f"(c[31]), "+f"(c[32]), "+f"(c[33]), "+f"(c[34]), "+f"(c[35]), "+f"(c[36]),
        "+f"(c[37]), "+f"(c[38]), "+f"(c[39]), "+f"(c[40]), "+f"(c[41]), "+f"(c[42]), "+f"(c[43]),
        "+f"(c[44]), "+f"(c[45]), "+f"(c[46]), "+f"(c[47]), "+f"(c[48]), "+f"(c[49]), "+f"(c[50]),
        "+f"(c[51]), "+f"(c[52]), "+f"(c[53]), "+f"(c[54]), "+f"(c[55]), "+f"(c[56]), "+f"(c[57]),
        "+f"(c[58]), "+f"(c[59]), "+f"(c[60]), "+f"(c[61]), "+f"(c[62]), "+f"(c[63])
      : "l"(a), "l"(b), "r"(keep));
}
__device__ __forceinline__ void hold(float (&c)[64]) {  // the compiler must not move uses across a wait
#pragma unroll
  for (float& x : c) asm volatile("" : "+f"(x)::"memory");
}

__device__ __forceinline__ void write_half(const Wide& w, const float (&sums)[64], int first_row,
                                           int first_output) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    const int row = first_row + threadIdx.x % 128 / 32 * 16 + lane / 4 + e * 8;
    if (row >= w.rows) continue;
    const std::size_t start = static_cast<std::size_t>(row) * w.outputs;
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      const int output = first_output + j * 8 + lane % 4 * 2;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (output + i >= w.outputs) continue;
        float y = sums[j * 4 + e * 2 + i];
        if (w.bias != nullptr) y += w.bias[output + i];
        if (w.activation != Act::none) y = apply_activation(w.activation, y);
        if (w.residual != nullptr) y += w.residual[start + output + i];
        w.out[start + output + i] = y;
      }
    }
  }
}
__device__ __forceinline__ void write_gated(const Wide& w, const float (&sums)[64], const float (&paired)[64],
                                            int first_row, int first_output) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    const int row = first_row + threadIdx.x % 128 / 32 * 16 + lane / 4 + e * 8;
    if (row >= w.rows) continue;
    const std::size_t start = static_cast<std::size_t>(row) * w.outputs;
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      const int output = first_output + j * 8 + lane % 4 * 2;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (output + i >= w.outputs) continue;
        float y = sums[j * 4 + e * 2 + i], up = paired[j * 4 + e * 2 + i];
        if (w.bias != nullptr) y += w.bias[output + i];
        if (w.paired_bias != nullptr) up += w.paired_bias[output + i];
        y = apply_activation(w.activation, y) * up;
        if (w.residual != nullptr) y += w.residual[start + output + i];
        w.out[start + output + i] = y;
      }
    }
  }
}

#endif

// Grid (row tiles, output tiles). `second` is the gated pair's matrix, or the first again.
__global__ void __launch_bounds__(kThreads, 1)
    wide_kernel(const __grid_constant__ CUtensorMap input, const __grid_constant__ CUtensorMap first,
                const __grid_constant__ CUtensorMap second, const __grid_constant__ Wide w) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ unsigned char shared[];
  __shared__ std::uint64_t full[kStages], empty[kStages];
  const std::uint32_t stages = (shared_address(shared) + 1023) / 1024 * 1024;
  if (threadIdx.x == 0) {
    for (int s = 0; s < kStages; ++s) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(full + s)));
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 2;" ::"r"(shared_address(empty + s)));
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  wait_for_predecessor();
  const int first_row = blockIdx.x * kRows, first_output = blockIdx.y * (w.gated ? kHalf : 2 * kHalf);
  if (threadIdx.x < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x != 0) return;
    for (int tile = 0; tile < w.tiles; ++tile) {
      const int s = tile % kStages;
      const std::uint32_t to = stages + s * kStageBytes, barrier = shared_address(full + s);
      if (tile >= kStages) wait_for(shared_address(empty + s), (tile / kStages - 1) & 1);
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(kStageBytes)
                   : "memory");
      copy_box(to, input, tile * kDepth, first_row, barrier);
      copy_box(to + kInputBytes, first, tile * kDepth, first_output, barrier);
      copy_box(to + kInputBytes + kHalfBytes, second, tile * kDepth, first_output + (w.gated ? 0 : kHalf),
               barrier);
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    const int group = threadIdx.x / 128 - 1;
    float near[64], far[64];
    for (int tile = 0; tile < w.tiles; ++tile) {
      const int s = tile % kStages;
      const std::uint32_t at = stages + s * kStageBytes;
      wait_for(shared_address(full + s), tile / kStages & 1);
      hold(near);
      hold(far);
      asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
      for (int k = 0; k < kDepth / 16; ++k) {
        const std::uint64_t a = descriptor(at + group * (kInputBytes / 2) + k * 32),
                            b = descriptor(at + kInputBytes + k * 32),
                            c = descriptor(at + kInputBytes + kHalfBytes + k * 32);
        const int keep = tile > 0 || k > 0;
        multiply(near, a, b, keep);
        multiply(far, a, c, keep);
      }
      asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
      asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
      if (tile > 0 && threadIdx.x % 128 == 0) arrive(shared_address(empty + (tile - 1) % kStages));
    }
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    hold(near);
    hold(far);
    if (w.gated) {
      write_gated(w, near, far, first_row + group * 64, first_output);
    } else {
      write_half(w, near, first_row + group * 64, first_output);
      write_half(w, far, first_row + group * 64, first_output + kHalf);
    }
  }
#endif
}

using EncodeTiled = decltype(&cuTensorMapEncodeTiled);
EncodeTiled find_encode() {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result) !=
          cudaSuccess ||
      result != cudaDriverEntryPointSuccess)
    return nullptr;
  return reinterpret_cast<EncodeTiled>(found);
}

bool encode(EncodeTiled function, const void* data, int rows, int columns, std::size_t row_bytes,
            CUtensorMap& map) {
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)},
                   strides[1] = {row_bytes};
  const cuuint32_t box[2] = {kDepth, kRows}, steps[2] = {1, 1};
  return function(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(data), sizes, strides, box,
                  steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                  CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

}  // namespace

bool wide_products() {
  int device = 0, major = 0, minor = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  return major == 9 && minor == 0 && find_encode() != nullptr;
}

bool linear_wide(const LinearPart& part, const Prepared& input, int rows, cudaStream_t stream) {
  const EncodeTiled function = find_encode();
  if (function == nullptr) return false;
  const Matrix& m = part.weight;
  const bool gated = part.paired.quants != nullptr;
  const Matrix& second = gated ? part.paired : m;
  CUtensorMap maps[3];
  if (!encode(function, input.data, rows, input.stride, static_cast<std::size_t>(input.stride) * 2,
              maps[0]) ||
      !encode(function, m.quants, m.rows, m.stride, m.row_bytes, maps[1]) ||
      !encode(function, second.quants, second.rows, second.stride, second.row_bytes, maps[2]))
    return false;
  const Wide w{rows,      m.rows,           input.stride / kDepth, gated,   part.activation,
               part.bias, part.paired_bias, part.residual,         part.out};
  const int outputs = gated ? kHalf : 2 * kHalf;
  cudaFuncSetAttribute(wide_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  launch(wide_kernel, dim3((rows + kRows - 1) / kRows, (m.rows + outputs - 1) / outputs), kThreads, kShared,
         stream, maps[0], maps[1], maps[2], w);
  return true;
}

}  // namespace pensieve::hal::cuda
