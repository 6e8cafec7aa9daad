// attention while generating: one new row of each sequence. The heads that share keys are one tile of query
// rows on the tensor cores (f16 products, f32 sums); warps walk over the cached positions, which may be split
// over blocks, and whoever ends last adds the parts up. Cached positions are asked for before the predecessor
// has ended: earlier steps wrote them. The new keys and values are turned, stored and used on the way. For
// keys and values kept as f16 in heads of 64 or 128 columns.
#include <algorithm>

#include "hal/cuda/tensor.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * 32, kTokens = 16, kHeads = 16;

template <int W>
struct Shape {
  static constexpr int kStages = W == 64 ? 4 : 2;      // of each warp
  static constexpr int kStageBytes = kTokens * W * 4;  // keys, then values
  static constexpr int kTiles = kWarps * kStages * kStageBytes;
  static constexpr int kNew = kTiles, kQueries = kNew + kStageBytes, kBytes = kQueries + kHeads * W * 2;
  static_assert((kWarps * (W + 2) + 2 * kMostSplits) * kHeads * 4 <= kTiles,
                "sums of warps take the place of tiles");
};

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
__device__ __forceinline__ float power_of(float score, float highest) {
  return score == -INFINITY ? 0.0F : __expf(score - highest);
}

// The two columns that task `pair` of a head is about, after rotation; columns that do not turn come last.
struct Turned {
  int column[2];
  float value[2];
};
template <int W>
__device__ __forceinline__ Turned turned(const float* head, int pair, const RopeArgs& rope, std::size_t row) {
  const int pairs = rope.turns != nullptr ? rope.rotary_width / 2 : 0;
  Turned t;
  const bool split = pair < pairs && !rope.interleaved;
  t.column[0] = split ? pair : 2 * pair;
  t.column[1] = split ? pair + pairs : 2 * pair + 1;
  const float a = head[t.column[0]], b = head[t.column[1]];
  float2 turn{1.0F, 0.0F};
  if (pair < pairs) turn = rope.turns[row * pairs + pair];
  t.value[0] = a * turn.x - b * turn.y;
  t.value[1] = a * turn.y + b * turn.x;
  return t;
}

// Positions [first, first + kTokens) of one head, zeros from `end` on.
template <int W>
__device__ __forceinline__ void fetch_tile(const AttentionLaunch& a, const int* pages, int kv_head, int first,
                                           int end, unsigned char* to) {
  constexpr int kChunks = W / 8, kAtOnce = 32 / kChunks;
  const int lane = threadIdx.x % 32, mine = first + lane % kTokens;
  unsigned long long place = 0;
  if (mine < end) {
    const int page = pages[mine / a.state.page_tokens];
    place = ((static_cast<unsigned long long>(page) * a.state.kv_heads + kv_head) * a.state.page_tokens +
             mine % a.state.page_tokens) *
            (W * 2);
  }
#pragma unroll
  for (int i = 0; i < kTokens / kAtOnce; ++i) {
    const int token = i * kAtOnce + lane / kChunks, chunk = lane % kChunks;
    const unsigned long long at = __shfl_sync(0xFFFFFFFFU, place, token) + chunk * 16;
    const bool real = first + token < end;
    copy_async(shared_address(to + tile_offset<W>(token, chunk)), a.state.keys + at, real);
    copy_async(shared_address(to + kTokens * W * 2 + tile_offset<W>(token, chunk)), a.state.values + at,
               real);
  }
}

template <int W>
struct Softmax {
  float sums[W / 8][4] = {};
  float total[2] = {}, highest[2] = {-INFINITY, -INFINITY};  // of the lane's two heads
};

// `count` positions of the tile are there.
template <int W>
__device__ __forceinline__ void attend_tile(const AttentionLaunch& a, const std::uint32_t (&q)[W / 16][4],
                                            const unsigned char* keys, int count, Softmax<W>& state) {
  const int lane = threadIdx.x % 32;
  const unsigned char* values = keys + kTokens * W * 2;
  float scores[2][4] = {};
#pragma unroll
  for (int k = 0; k < W / 16; ++k) {
    std::uint32_t b[4];
    load_fragments(b, shared_address(keys + tile_offset<W>(lane / 16 * 8 + lane % 8, k * 2 + lane / 8 % 2)));
    multiply(scores[0], q[k], b[0], b[1]);
    multiply(scores[1], q[k], b[2], b[3]);
  }
  float top[2] = {state.highest[0], state.highest[1]};
#pragma unroll
  for (int j = 0; j < 2; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      float score = scores[j][e] * a.scale;
      if (a.soft_cap != 0.0F) score = a.soft_cap * tanhf(score / a.soft_cap);
      scores[j][e] = j * 8 + lane % 4 * 2 + e % 2 < count ? score : -INFINITY;
      top[e / 2] = fmaxf(top[e / 2], scores[j][e]);
    }
  }
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    top[row] = fmaxf(top[row], __shfl_xor_sync(0xFFFFFFFFU, top[row], 1));
    top[row] = fmaxf(top[row], __shfl_xor_sync(0xFFFFFFFFU, top[row], 2));
  }
  if (__any_sync(0xFFFFFFFFU, top[0] > state.highest[0] || top[1] > state.highest[1])) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const float old = power_of(state.highest[row], top[row]);
      state.highest[row] = top[row];
      state.total[row] *= old;
#pragma unroll
      for (int n = 0; n < W / 8; ++n) {
        state.sums[n][row * 2] *= old;
        state.sums[n][row * 2 + 1] *= old;
      }
    }
  }
#pragma unroll
  for (int j = 0; j < 2; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      scores[j][e] = power_of(scores[j][e], top[e / 2]);
      state.total[e / 2] += scores[j][e];
    }
  }
  const std::uint32_t weights[4] = {
      pack_half(scores[0][0], scores[0][1]), pack_half(scores[0][2], scores[0][3]),
      pack_half(scores[1][0], scores[1][1]), pack_half(scores[1][2], scores[1][3])};
#pragma unroll
  for (int n = 0; n < W / 16; ++n) {
    std::uint32_t b[4];
    load_turned(b, shared_address(values + tile_offset<W>(lane / 8 % 2 * 8 + lane % 8, n * 2 + lane / 16)));
    multiply(state.sums[2 * n], weights, b[0], b[1]);
    multiply(state.sums[2 * n + 1], weights, b[2], b[3]);
  }
}

// Which heads and cached positions a block has.
struct Share {
  std::size_t row;
  int kv_head, first_head, heads;
  int begin, end;  // cached positions
  bool has_new;
  __device__ __forceinline__ Share(const AttentionLaunch& a, int position) {
    const int sharing = a.heads / a.state.kv_heads, chunks = (sharing + kHeads - 1) / kHeads;
    row = blockIdx.z;
    kv_head = blockIdx.x / chunks;
    first_head = kv_head * sharing + blockIdx.x % chunks * kHeads;
    heads = min(kHeads, (kv_head + 1) * sharing - first_head);
    const int first = a.window > 0 ? max(position - a.window + 1, 0) : 0, count = position - first;
    const int each = ((count + a.splits - 1) / a.splits + kTokens - 1) / kTokens * kTokens;
    begin = min(first + static_cast<int>(blockIdx.y) * each, position);
    end = min(begin + each, position);
    has_new = static_cast<int>(blockIdx.y) == a.splits - 1;
  }
};

template <int W>
__device__ __forceinline__ void put_half(unsigned char* tile, int row, int column, float value) {
  *reinterpret_cast<__half*>(tile + tile_offset<W>(row, column / 8) + column % 8 * 2) = __float2half(value);
}

// Queries of the block's heads, turned, as f16; the new position, turned, to the cache and to a tile. The
// rest of both tiles is zeros already.
template <int W>
__device__ __forceinline__ void stage_new(const AttentionLaunch& a, const Share& share, int position,
                                          const int* pages, unsigned char* shared) {
  constexpr int kPairs = W / 2;
  const int tasks = (share.heads + (share.has_new ? 2 : 0)) * kPairs;
  unsigned char *queries = shared + Shape<W>::kQueries, *tile = shared + Shape<W>::kNew;
  const std::size_t at =
      ((static_cast<std::size_t>(pages[position / a.state.page_tokens]) * a.state.kv_heads + share.kv_head) *
           a.state.page_tokens +
       position % a.state.page_tokens) *
      W;
  const std::size_t head = (share.row * a.state.kv_heads + share.kv_head) * W;
#pragma unroll 4
  for (int i = threadIdx.x; i < tasks; i += kThreads) {
    const int index = i / kPairs, pair = i % kPairs;
    if (index < share.heads) {
      const Turned t =
          turned<W>(a.q + (share.row * a.heads + share.first_head + index) * W, pair, a.q_rope, share.row);
      put_half<W>(queries, index, t.column[0], t.value[0]);
      put_half<W>(queries, index, t.column[1], t.value[1]);
    } else if (index == share.heads) {
      const Turned t = turned<W>(a.k + head, pair, a.k_rope, share.row);
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        put_half<W>(tile, 0, t.column[e], t.value[e]);
        reinterpret_cast<__half*>(a.state.keys)[at + t.column[e]] = __float2half(t.value[e]);
      }
    } else {
      const float2 two = reinterpret_cast<const float2*>(a.v + head)[pair];
      put_half<W>(tile + kTokens * W * 2, 0, pair * 2, two.x);
      put_half<W>(tile + kTokens * W * 2, 0, pair * 2 + 1, two.y);
      reinterpret_cast<std::uint32_t*>(a.state.values + at * 2)[pair] = pack_half(two.x, two.y);
    }
  }
}

// Adds up the warps' parts of one head and column.
struct Merged {
  float sum, total, highest;
};
template <int W>
__device__ __forceinline__ Merged merge_warps(const float* parts, int head, int column) {
  Merged merged{0.0F, 0.0F, -INFINITY};
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp)
    merged.highest = fmaxf(merged.highest, parts[(warp * kHeads + head) * (W + 2) + W + 1]);
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) {
    const float* part = parts + (warp * kHeads + head) * (W + 2);
    const float weight = power_of(part[W + 1], merged.highest);
    merged.sum += part[column] * weight;
    merged.total += part[W] * weight;
  }
  return merged;
}

// A head's part of one split in `partials`: sums, then total and highest.
template <int W>
constexpr int kPart = W + 4;

// The block that arrives last adds up the splits.
template <int W>
__device__ __forceinline__ void merge_splits(const AttentionLaunch& a, const Share& share, float* shared) {
  __shared__ int arrived;
  __threadfence();
  __syncthreads();
  int* counter = a.arrivals + share.row * gridDim.x + blockIdx.x;
  if (threadIdx.x == 0) arrived = atomicAdd(counter, 1);
  __syncthreads();
  if (arrived != a.splits - 1) return;
  __threadfence();
  if (threadIdx.x == 0) *counter = 0;
  const float* parts = a.partials + (share.row * a.heads + share.first_head) * a.splits * kPart<W>;
  const int count = share.heads * a.splits;
  float *highest = shared, *totals = shared + kHeads * kMostSplits;
  for (int i = threadIdx.x; i < count; i += kThreads) {
    const float2 two =
        __ldcg(reinterpret_cast<const float2*>(parts + static_cast<std::size_t>(i) * kPart<W> + W));
    totals[i] = two.x;
    highest[i] = two.y;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < share.heads * W / 4; i += kThreads) {
    const int head = i / (W / 4), column = i % (W / 4) * 4, first = head * a.splits;
    float top = -INFINITY, total = 0.0F;
    for (int s = 0; s < a.splits; ++s) top = fmaxf(top, highest[first + s]);
    float4 sum{0.0F, 0.0F, 0.0F, 0.0F};
#pragma unroll 8
    for (int s = 0; s < a.splits; ++s) {
      const float weight = power_of(highest[first + s], top);
      const float4 part = __ldcg(
          reinterpret_cast<const float4*>(parts + static_cast<std::size_t>(first + s) * kPart<W> + column));
      total += totals[first + s] * weight;
      sum.x += part.x * weight;
      sum.y += part.y * weight;
      sum.z += part.z * weight;
      sum.w += part.w * weight;
    }
    *reinterpret_cast<float4*>(a.out + (share.row * a.heads + share.first_head + head) * W + column) = {
        sum.x / total, sum.y / total, sum.z / total, sum.w / total};
  }
}

// Grid (heads in chunks that share keys, splits, rows).
template <int W>
__global__ void __launch_bounds__(kThreads) fresh_kernel(const __grid_constant__ AttentionLaunch a) {
  using T = Shape<W>;
  extern __shared__ __align__(128) unsigned char shared[];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int position = a.index.positions[blockIdx.z];
  const int* pages = a.pages + a.page_starts[a.index.row_sequence[blockIdx.z]];
  const Share share(a, position);
  unsigned char* tiles = shared + warp * T::kStages * T::kStageBytes;
  int fetched = share.begin + warp * kTokens;
  const auto fetch = [&](int stage) {
    if (fetched < share.end)
      fetch_tile<W>(a, pages, share.kv_head, fetched, share.end, tiles + stage * T::kStageBytes);
    asm volatile("cp.async.commit_group;" ::: "memory");
    fetched += kWarps * kTokens;
  };
#pragma unroll
  for (int stage = 0; stage < T::kStages; ++stage) fetch(stage);
  for (int i = threadIdx.x * 16; i < T::kBytes - T::kNew; i += kThreads * 16)
    *reinterpret_cast<uint4*>(shared + T::kNew + i) = {0, 0, 0, 0};
  __syncthreads();
  wait_for_predecessor();
  stage_new<W>(a, share, position, pages, shared);
  __syncthreads();
  std::uint32_t q[W / 16][4];
#pragma unroll
  for (int k = 0; k < W / 16; ++k)
    load_fragments(q[k], shared_address(shared + T::kQueries + tile_offset<W>(lane % 16, k * 2 + lane / 16)));
  Softmax<W> state;
  if (share.has_new && warp == kWarps - 1) attend_tile<W>(a, q, shared + T::kNew, 1, state);
  int stage = 0;
  for (int first = share.begin + warp * kTokens; first < share.end; first += kWarps * kTokens) {
    asm volatile("cp.async.wait_group %0;" ::"n"(T::kStages - 1) : "memory");
    __syncwarp();
    attend_tile<W>(a, q, tiles + stage * T::kStageBytes, min(kTokens, share.end - first), state);
    __syncwarp();
    fetch(stage);
    stage = stage + 1 == T::kStages ? 0 : stage + 1;
  }
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  float* parts = reinterpret_cast<float*>(shared);
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    float total = state.total[row];
    total += __shfl_xor_sync(0xFFFFFFFFU, total, 1);
    total += __shfl_xor_sync(0xFFFFFFFFU, total, 2);
    float* to = parts + (warp * kHeads + lane / 4 + row * 8) * (W + 2);
#pragma unroll
    for (int n = 0; n < W / 8; ++n)
      *reinterpret_cast<float2*>(to + n * 8 + lane % 4 * 2) = {state.sums[n][row * 2],
                                                               state.sums[n][row * 2 + 1]};
    if (lane % 4 == 0) {
      to[W] = total;
      to[W + 1] = state.highest[row];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < share.heads * W; i += kThreads) {
    const int head = i / W, column = i % W;
    const Merged merged = merge_warps<W>(parts, head, column);
    const std::size_t at = share.row * a.heads + share.first_head + head;
    if (a.splits == 1) {
      a.out[at * W + column] = merged.sum / merged.total;
      continue;
    }
    float* to = a.partials + (at * a.splits + blockIdx.y) * kPart<W>;
    to[column] = merged.sum;
    if (column == 0) {
      to[W] = merged.total;
      to[W + 1] = merged.highest;
    }
  }
  if (a.splits > 1) merge_splits<W>(a, share, parts + kWarps * kHeads * (W + 2));
}

template <int W>
void run(const AttentionLaunch& a, cudaStream_t stream) {
  cudaFuncSetAttribute(fresh_kernel<W>, cudaFuncAttributeMaxDynamicSharedMemorySize, Shape<W>::kBytes);
  launch_as(true, fresh_kernel<W>, dim3(a.state.kv_heads * fresh_head_chunks(a), a.splits, a.rows), kThreads,
            Shape<W>::kBytes, stream, a);
}

}  // namespace

bool fresh_attention_fits(const AttentionLaunch& a) {
  return a.state.kept == Kept::f16 && a.state.key_width == a.state.value_width &&
         (a.state.key_width == 64 || a.state.key_width == 128);
}

int fresh_head_chunks(const AttentionLaunch& a) {
  return (a.heads / a.state.kv_heads + kHeads - 1) / kHeads;
}

void attend_fresh(const AttentionLaunch& a, cudaStream_t stream) {
  if (a.state.key_width == 64) {
    run<64>(a, stream);
  } else {
    run<128>(a, stream);
  }
}

}  // namespace pensieve::hal::cuda
