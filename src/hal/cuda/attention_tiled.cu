// attention for prompts: 64 query rows of one sequence and head against tiles of 64 cached positions on the
// tensor cores, with the softmax carried along (f16 products, f32 sums). For keys and values kept as f16 in
// heads of 64 or 128 columns.
#include "hal/cuda/tensor.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kThreads = 128, kTokens = 64;

__device__ __forceinline__ void multiply(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                         std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <int W>
__device__ __forceinline__ int tile_offset(int row, int chunk) {
  return row * W * 2 + (chunk ^ (row & 7)) * 16;
}

// Keys and values of positions [first, first + kTokens) of one head, zeros from `end` on.
template <int W>
__device__ __forceinline__ void fetch_tokens(const AttentionLaunch& a, const int* pages, int kv_head,
                                             int first, int end, unsigned char* to) {
  for (int task = threadIdx.x; task < kTokens * W / 8; task += kThreads) {
    const int token = task / (W / 8), chunk = task % (W / 8), position = first + token;
    const bool real = position < end;
    const int page = real ? pages[position / a.state.page_tokens] : 0;
    const std::size_t at =
        real ? ((static_cast<std::size_t>(page) * a.state.kv_heads + kv_head) * a.state.page_tokens +
                position % a.state.page_tokens) *
                       (W * 2) +
                   chunk * 16
             : 0;
    copy_async(shared_address(to + tile_offset<W>(token, chunk)), a.state.keys + at, real);
    copy_async(shared_address(to + kTokens * W * 2 + tile_offset<W>(token, chunk)), a.state.values + at,
               real);
  }
  asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int W>
struct Softmax {
  float sums[W / 8][4] = {};
  float total[2] = {}, highest[2] = {-INFINITY, -INFINITY};  // of the lane's two rows
};

template <int W>
__device__ __forceinline__ void attend_tokens(const AttentionLaunch& a, const std::uint32_t (&q)[W / 16][4],
                                              const unsigned char* keys, int first, const int (&positions)[2],
                                              Softmax<W>& state) {
  const int lane = threadIdx.x % 32;
  const unsigned char* values = keys + kTokens * W * 2;
  float scores[kTokens / 8][4] = {};
#pragma unroll
  for (int k = 0; k < W / 16; ++k) {
#pragma unroll
    for (int j = 0; j < kTokens / 16; ++j) {
      std::uint32_t b[4];
      load_fragments(
          b, shared_address(keys + tile_offset<W>(j * 16 + lane / 16 * 8 + lane % 8, k * 2 + lane / 8 % 2)));
      multiply(scores[2 * j], q[k], b[0], b[1]);
      multiply(scores[2 * j + 1], q[k], b[2], b[3]);
    }
  }
  float top[2] = {state.highest[0], state.highest[1]};
#pragma unroll
  for (int j = 0; j < kTokens / 8; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int row = e / 2, token = first + j * 8 + lane % 4 * 2 + e % 2;
      float score = scores[j][e] * a.scale;
      if (a.soft_cap != 0.0F) score = a.soft_cap * tanhf(score / a.soft_cap);
      const bool seen = token <= positions[row] && (a.window == 0 || token > positions[row] - a.window);
      scores[j][e] = seen ? score : -INFINITY;
      top[row] = fmaxf(top[row], scores[j][e]);
    }
  }
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    top[row] = fmaxf(top[row], __shfl_xor_sync(0xFFFFFFFFU, top[row], 1));
    top[row] = fmaxf(top[row], __shfl_xor_sync(0xFFFFFFFFU, top[row], 2));
    const float base = top[row] == -INFINITY ? 0.0F : top[row];
    const float old = state.highest[row] == -INFINITY ? 0.0F : __expf(state.highest[row] - base);
    state.highest[row] = top[row];
    state.total[row] *= old;
#pragma unroll
    for (int n = 0; n < W / 8; ++n) {
      state.sums[n][row * 2] *= old;
      state.sums[n][row * 2 + 1] *= old;
    }
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j) {
      scores[j][row * 2] = __expf(scores[j][row * 2] - base);
      scores[j][row * 2 + 1] = __expf(scores[j][row * 2 + 1] - base);
      state.total[row] += scores[j][row * 2] + scores[j][row * 2 + 1];
    }
  }
#pragma unroll
  for (int k = 0; k < kTokens / 16; ++k) {
    const std::uint32_t weights[4] = {pack_half(scores[2 * k][0], scores[2 * k][1]),
                                      pack_half(scores[2 * k][2], scores[2 * k][3]),
                                      pack_half(scores[2 * k + 1][0], scores[2 * k + 1][1]),
                                      pack_half(scores[2 * k + 1][2], scores[2 * k + 1][3])};
#pragma unroll
    for (int n = 0; n < W / 16; ++n) {
      std::uint32_t b[4];
      load_turned(b, shared_address(values +
                                    tile_offset<W>(k * 16 + lane / 8 % 2 * 8 + lane % 8, n * 2 + lane / 16)));
      multiply(state.sums[2 * n], weights, b[0], b[1]);
      multiply(state.sums[2 * n + 1], weights, b[2], b[3]);
    }
  }
}

template <int W>
__global__ void __launch_bounds__(kThreads, 3) tiled_kernel(AttentionLaunch a) {
  extern __shared__ __align__(128) unsigned char shared[];  // two stages of keys and values
  constexpr int kStage = kTokens * W * 4;
  wait_for_predecessor();
  const int2 tile = a.tiles[gridDim.x - 1 - blockIdx.x];  // the longest ones first
  const int head = blockIdx.y, kv_head = head / (a.heads / a.state.kv_heads), lane = threadIdx.x % 32,
            warp = threadIdx.x / 32;
  const int end_row = min(a.index.sequence_starts[tile.x + 1], tile.y + kTileRows);
  const int* pages = a.pages + a.page_starts[tile.x];
  const int rows[2] = {tile.y + warp * 16 + lane / 4, tile.y + warp * 16 + lane / 4 + 8};
  const int positions[2] = {a.index.positions[min(rows[0], end_row - 1)],
                            a.index.positions[min(rows[1], end_row - 1)]};
  std::uint32_t q[W / 16][4];
#pragma unroll
  for (int k = 0; k < W / 16; ++k) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const std::size_t row = min(rows[e % 2], end_row - 1);
      const float2 two = *reinterpret_cast<const float2*>(a.q + (row * a.heads + head) * W + k * 16 +
                                                          e / 2 * 8 + lane % 4 * 2);
      q[k][e] = pack_half(two.x, two.y);
    }
  }
  const int first_position = a.index.positions[tile.y], end = a.index.positions[end_row - 1] + 1;
  const int begin = a.window > 0 ? max(first_position - a.window + 1, 0) : 0;  // pages before it may be gone
  Softmax<W> state;
  fetch_tokens<W>(a, pages, kv_head, begin, end, shared);
  int stage = 0;
  for (int first = begin; first < end; first += kTokens) {
    if (first + kTokens < end) {
      fetch_tokens<W>(a, pages, kv_head, first + kTokens, end, shared + (stage ^ 1) * kStage);
      asm volatile("cp.async.wait_group 1;" ::: "memory");
    } else {
      asm volatile("cp.async.wait_group 0;" ::: "memory");
    }
    __syncthreads();
    attend_tokens<W>(a, q, shared + stage * kStage, first, positions, state);
    __syncthreads();
    stage ^= 1;
  }
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    float total = state.total[row];
    total += __shfl_xor_sync(0xFFFFFFFFU, total, 1);
    total += __shfl_xor_sync(0xFFFFFFFFU, total, 2);
    if (rows[row] >= end_row) continue;
    float* to = a.out + (static_cast<std::size_t>(rows[row]) * a.heads + head) * W + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < W / 8; ++n)
      *reinterpret_cast<float2*>(to + n * 8) = {state.sums[n][row * 2] / total,
                                                state.sums[n][row * 2 + 1] / total};
  }
}

template <int W>
void run(const AttentionLaunch& a, cudaStream_t stream) {
  const int shared = 2 * kTokens * W * 4;
  cudaFuncSetAttribute(tiled_kernel<W>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  launch(tiled_kernel<W>, dim3(a.tile_count, a.heads), kThreads, shared, stream, a);
}

}  // namespace

bool tiled_attention_fits(const AttentionLaunch& a) {
  return a.state.kept == Kept::f16 && a.state.key_width == a.state.value_width &&
         (a.state.key_width == 64 || a.state.key_width == 128);
}

void attend_tiled(const AttentionLaunch& a, cudaStream_t stream) {
  if (a.state.key_width == 64) {
    run<64>(a, stream);
  } else {
    run<128>(a, stream);
  }
}

}  // namespace pensieve::hal::cuda
