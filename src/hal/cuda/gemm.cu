// linear for many rows: tiles of bf16 in shared memory through the tensor cores (mma.m16n8k16), sums in f32.
// Weights are decoded on their way into shared memory. Few rows split the inner dimension over blocks; a
// second kernel adds the parts up.
#include <algorithm>

#include "hal/cuda/codecs.cuh"
#include "hal/cuda/tensor.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kThreads = 256, kOutputs = 128,
              kDepth = 64;  // a tile has kOutputs weight rows of kDepth columns

__device__ __forceinline__ void multiply(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                         std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// Offset of a 16-byte chunk in a tile of 128-byte rows; the chunks of eight rows fall on different banks.
__device__ __forceinline__ int tile_offset(int row, int chunk) {
  return row * 128 + (chunk ^ (row & 7)) * 16;
}

struct Product {
  Matrix weight;
  const unsigned char* input = nullptr;  // bf16 [rows][stride]
  int rows = 0, stride = 0, splits = 1;
  const float* bias = nullptr;
  const float* residual = nullptr;
  float* out = nullptr;  // [rows][outputs], or with splits [split][rows][outputs]
  bool decoded = false;  // the weights were written by a kernel of this step
};

template <Stored S>
struct WeightTile {
  RawGroup raw;
  __device__ __forceinline__ static bool held(const Matrix& m, int row, int group) {
    const int width = S == Stored::bf16 || S == Stored::f16 ? m.stride : m.columns;
    return row < m.rows && group * 32 < width;
  }
  __device__ __forceinline__ static const unsigned char* quants_of(const Matrix& m, int row, int group) {
    const Place32 place = place32<S>(m, row, group);
    if constexpr (S == Stored::bf16 || S == Stored::f16) return place.segment + place.group * 64;
    if constexpr (S == Stored::q8_0) return place.segment + place.group * 32;
    if constexpr (S == Stored::q4_k) return place.segment + place.group / 8 * 144 + 16 + place.group % 8 * 16;
    return place.segment + place.group * 16;
  }
  // Asks for what later tiles need; depends on no other kernel.
  __device__ __forceinline__ static void prefetch(const Matrix& m, int first_output, int depth_tile) {
    const int row = first_output + threadIdx.x / 2, group = depth_tile * 2 + threadIdx.x % 2;
    if (held(m, row, group)) asm volatile("prefetch.global.L2 [%0];" ::"l"(quants_of(m, row, group)));
  }
  // Thread t: weight row t / 2 of the tile, half t % 2 of its columns.
  __device__ __forceinline__ void fetch(const Matrix& m, int first_output, int depth_tile,
                                        unsigned char* tile) {
    const int row = threadIdx.x / 2, group = depth_tile * 2 + threadIdx.x % 2;
    if constexpr (S == Stored::bf16) {
#pragma unroll
      for (int i = 0; i < kOutputs * 8 / kThreads; ++i) {
        const int task = i * kThreads + threadIdx.x, at = task / 8, chunk = task % 8,
                  output = first_output + at;
        const int column = depth_tile * kDepth + chunk * 8;
        const bool real = output < m.rows && column < m.stride;
        copy_async(shared_address(tile + tile_offset(at, chunk)),
                   m.quants + (real ? (static_cast<std::size_t>(output) * m.stride + column) * 2 : 0), real);
      }
    } else if (held(m, first_output + row, group)) {
      fetch32<S>(m, first_output + row, group, raw);
    }
  }
  __device__ __forceinline__ void store(const Matrix& m, int first_output, int depth_tile,
                                        unsigned char* tile) const {
    if constexpr (S != Stored::bf16) {
      const int row = threadIdx.x / 2, group = depth_tile * 2 + threadIdx.x % 2;
      std::uint32_t packed[16] = {};
      if (held(m, first_output + row, group)) {
        decode32<S>(raw, group,
                    [&packed](int i, float first, float second) { packed[i] = pack_bfloat(first, second); });
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        *reinterpret_cast<uint4*>(tile + tile_offset(row, threadIdx.x % 2 * 4 + i)) = {
            packed[4 * i], packed[4 * i + 1], packed[4 * i + 2], packed[4 * i + 3]};
      }
    }
  }
};

template <int kRows>
__device__ __forceinline__ void fetch_input(const Product& p, int first_row, int depth_tile,
                                            unsigned char* tile) {
  for (int task = threadIdx.x; task < kRows * 8; task += kThreads) {
    const int at = task / 8, chunk = task % 8, row = first_row + at, column = depth_tile * kDepth + chunk * 8;
    const bool real = row < p.rows && column < p.stride;
    copy_async(shared_address(tile + tile_offset(at, chunk)),
               p.input + (real ? (static_cast<std::size_t>(row) * p.stride + column) * 2 : 0), real);
  }
}

template <int kRows>
struct Shape {
  static constexpr int kRowWarps = kRows >= 64 ? 2 : 1, kOutputWarps = 8 / kRowWarps;
  static constexpr int kRowTiles = kRows / kRowWarps / 16;          // of 16 rows, for each warp
  static constexpr int kOutputTiles = kOutputs / kOutputWarps / 8;  // of 8 outputs, for each warp
  static constexpr int kStages = kRows == 16 ? 4 : 3;
  static constexpr int kResident = kRows == 16 ? 3 : 2;  // blocks wanted on each multiprocessor
  static constexpr int kStageBytes = (kRows + kOutputs) * 128;
};

template <int kRows>
__device__ __forceinline__ void multiply_tile(
    const unsigned char* inputs, const unsigned char* weights,
    float (&sums)[Shape<kRows>::kRowTiles][Shape<kRows>::kOutputTiles][4]) {
  using T = Shape<kRows>;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int first_row = warp / T::kOutputWarps * T::kRowTiles * 16,
            first_output = warp % T::kOutputWarps * T::kOutputTiles * 8;
#pragma unroll
  for (int k = 0; k < kDepth / 16; ++k) {
    std::uint32_t a[T::kRowTiles][4], b[T::kOutputTiles / 2][4];
#pragma unroll
    for (int i = 0; i < T::kRowTiles; ++i)
      load_fragments(a[i],
                     shared_address(inputs + tile_offset(first_row + i * 16 + lane % 16, k * 2 + lane / 16)));
#pragma unroll
    for (int j = 0; j < T::kOutputTiles / 2; ++j) {
      load_fragments(b[j],
                     shared_address(weights + tile_offset(first_output + j * 16 + lane / 16 * 8 + lane % 8,
                                                          k * 2 + lane / 8 % 2)));
    }
#pragma unroll
    for (int i = 0; i < T::kRowTiles; ++i) {
#pragma unroll
      for (int j = 0; j < T::kOutputTiles; ++j)
        multiply(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
    }
  }
}

template <int kRows>
__device__ __forceinline__ void write_tile(
    const Product& p, int tile_row, int tile_output,
    const float (&sums)[Shape<kRows>::kRowTiles][Shape<kRows>::kOutputTiles][4]) {
  using T = Shape<kRows>;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, outputs = p.weight.rows;
  const int first_row = tile_row + warp / T::kOutputWarps * T::kRowTiles * 16 + lane / 4;
  const int first_output = tile_output + warp % T::kOutputWarps * T::kOutputTiles * 8 + lane % 4 * 2;
  float* out = p.out + (p.splits > 1 ? static_cast<std::size_t>(blockIdx.z) * p.rows * outputs : 0);
#pragma unroll
  for (int i = 0; i < T::kRowTiles; ++i) {
#pragma unroll
    for (int j = 0; j < T::kOutputTiles; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int row = first_row + i * 16 + e / 2 * 8, output = first_output + j * 8 + e % 2;
        if (row >= p.rows || output >= outputs) continue;
        const std::size_t at = static_cast<std::size_t>(row) * outputs + output;
        float y = sums[i][j][e];
        if (p.splits == 1) {
          if (p.bias != nullptr) y += p.bias[output];
          if (p.residual != nullptr) y += p.residual[at];
        }
        out[at] = y;
      }
    }
  }
}

template <Stored S, int kRows>
__global__ void __launch_bounds__(kThreads) matrix_kernel(Product p) {
  using T = Shape<kRows>;
  extern __shared__ __align__(128) unsigned char shared[];
  const int tile_row = blockIdx.y * kRows, tile_output = blockIdx.x * kOutputs;
  const int tiles = (p.stride + kDepth - 1) / kDepth;
  const int begin = static_cast<int>(static_cast<long long>(tiles) * blockIdx.z / p.splits);
  const int end = static_cast<int>(static_cast<long long>(tiles) * (blockIdx.z + 1) / p.splits);
  float sums[T::kRowTiles][T::kOutputTiles][4] = {};
  WeightTile<S> weights;
  constexpr int kAhead = 8;
  const bool few = kRows == 16;  // memory is the limit: everything is asked for well ahead
  if (few && !p.decoded) {
    for (int tile = begin; tile < min(begin + kAhead, end); ++tile)
      WeightTile<S>::prefetch(p.weight, tile_output, tile);
  }
  wait_for_predecessor();
  const auto stage = [&](int tile) { return shared + (tile - begin) % T::kStages * T::kStageBytes; };
  const auto fetch = [&](int tile) {
    if (tile < end) {
      fetch_input<kRows>(p, tile_row, tile, stage(tile));
      weights.fetch(p.weight, tile_output, tile, stage(tile) + kRows * 128);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  const auto store = [&](int tile) {
    if (tile < end) weights.store(p.weight, tile_output, tile, stage(tile) + kRows * 128);
  };
  for (int ahead = 0; ahead < T::kStages - 1; ++ahead) {
    fetch(begin + ahead);
    store(begin + ahead);
  }
  for (int tile = begin; tile < end; ++tile) {
    asm volatile("cp.async.wait_group %0;" ::"n"(T::kStages - 2) : "memory");
    __syncthreads();
    if (few && tile + kAhead < end) WeightTile<S>::prefetch(p.weight, tile_output, tile + kAhead);
    fetch(tile + T::kStages - 1);
    multiply_tile<kRows>(stage(tile), stage(tile) + kRows * 128, sums);
    store(tile + T::kStages - 1);
  }
  write_tile<kRows>(p, tile_row, tile_output, sums);
}

__global__ void add_splits(const float* partials, int splits, int rows, int outputs, const float* bias,
                           const float* residual, float* out) {
  wait_for_predecessor();
  const std::size_t count = static_cast<std::size_t>(rows) * outputs;
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count;
       i += static_cast<std::size_t>(gridDim.x) * blockDim.x) {
    float y = 0.0F;
    for (int s = 0; s < splits; ++s) y += partials[s * count + i];
    if (bias != nullptr) y += bias[i % outputs];
    if (residual != nullptr) y += residual[i];
    out[i] = y;
  }
}

template <Stored S, int kRows>
void run(const LinearLaunch& l, const LinearPart& part, cudaStream_t stream) {
  Product p{part.weight,
            static_cast<const unsigned char*>(l.input.data),
            l.rows,
            l.input.stride,
            1,
            part.bias,
            part.residual,
            part.out,
            l.decoded};
  const int outputs = part.weight.rows, depth_tiles = (p.stride + kDepth - 1) / kDepth;
  const int output_tiles = (outputs + kOutputs - 1) / kOutputs, row_tiles = (l.rows + kRows - 1) / kRows;
  const std::size_t count = static_cast<std::size_t>(l.rows) * outputs;
  const int wanted = Shape<kRows>::kResident * l.multiprocessors;
  if (output_tiles * row_tiles < wanted) {
    p.splits = std::clamp((wanted + output_tiles * row_tiles / 2) / (output_tiles * row_tiles), 1,
                          std::max(1, depth_tiles / 4));
    p.splits =
        static_cast<int>(std::min<std::size_t>(p.splits, std::max<std::size_t>(1, l.partial_floats / count)));
  }
  if (p.splits > 1) p.out = l.partials;
  const std::size_t shared = static_cast<std::size_t>(Shape<kRows>::kStages) * Shape<kRows>::kStageBytes;
  cudaFuncSetAttribute(matrix_kernel<S, kRows>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                       static_cast<int>(shared));
  launch(matrix_kernel<S, kRows>, dim3(output_tiles, row_tiles, p.splits), kThreads, shared, stream, p);
  if (p.splits > 1) {
    const std::size_t blocks = std::min<std::size_t>((count + 255) / 256, 2048);
    launch(add_splits, static_cast<unsigned>(blocks), 256, 0, stream, l.partials, p.splits, l.rows, outputs,
           part.bias, part.residual, part.out);
  }
}

template <Stored S>
void run_rows(const LinearLaunch& l, const LinearPart& part, cudaStream_t stream) {
  if (l.rows <= 16) {
    run<S, 16>(l, part, stream);
  } else if (l.rows <= 64) {
    run<S, 64>(l, part, stream);
  } else {
    run<S, 128>(l, part, stream);
  }
}

}  // namespace

void linear_matrix(const LinearLaunch& l, cudaStream_t stream) {
  for (int i = 0; i < l.part_count; ++i) {
    const LinearPart& part = l.parts[i];
    switch (part.weight.stored) {
      case Stored::f16:
        run_rows<Stored::f16>(l, part, stream);
        break;
      case Stored::q8_0:
        run_rows<Stored::q8_0>(l, part, stream);
        break;
      case Stored::q4_0:
        run_rows<Stored::q4_0>(l, part, stream);
        break;
      case Stored::q4_1:
        run_rows<Stored::q4_1>(l, part, stream);
        break;
      case Stored::q4_k:
        run_rows<Stored::q4_k>(l, part, stream);
        break;
      case Stored::q6_k:
        run_rows<Stored::q6_k>(l, part, stream);
        break;
      default:
        run_rows<Stored::bf16>(l, part, stream);
        break;  // `blocks` were decoded to bf16 by the caller
    }
  }
}

}  // namespace pensieve::hal::cuda
