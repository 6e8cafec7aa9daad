// attention row by row: rotation and storing of keys and values, then a walk over the visible positions that
// may be split over blocks. The fast walk shares each key and value among the query heads of a group; the
// general one takes any width.
#include <algorithm>

#include "hal/cuda/device.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kWarps = 4, kWidest = 512;

__device__ __forceinline__ void encode_q8_0(float x, unsigned char* row, int column) {
  const float largest = warp_max(fabsf(x));
  const float d = largest / 127.0F, inverse = d != 0.0F ? 1.0F / d : 0.0F;
  unsigned char* block = row + column / 32 * 34;
  float q = fminf(fmaxf(x * inverse, -127.0F), 127.0F);
  q = q < 0.0F ? q - 0.5F : q + 0.5F;
  block[2 + column % 32] = static_cast<unsigned char>(static_cast<signed char>(static_cast<int>(q)));
  if (column % 32 == 0) *reinterpret_cast<__half*>(block) = __float2half(d);
}

__device__ __forceinline__ void store_one(const AttentionLaunch& a, unsigned char* to, int column,
                                          float value) {
  if (a.state.kept == Kept::f16) {
    reinterpret_cast<__half*>(to)[column] = __float2half(value);
  } else {
    reinterpret_cast<float*>(to)[column] = value;
  }
}

// A block for a row, a thread for two columns of a head that turn together: query heads are turned in place,
// keys turned and stored, values stored. For keys and values kept as f16 or f32.
__global__ void __launch_bounds__(256) store_rows(AttentionLaunch a) {
  wait_for_predecessor();
  const std::size_t row = blockIdx.x;
  const int kv_heads = a.state.kv_heads, key_pairs = (a.state.key_width + 1) / 2;
  const int position = a.index.positions[row];
  const int page = a.pages[a.page_starts[a.index.row_sequence[row]] + position / a.state.page_tokens];
  const std::size_t first =
      static_cast<std::size_t>(page) * kv_heads * a.state.page_tokens + position % a.state.page_tokens;
  const int first_head = a.q_rope.turns != nullptr ? 0 : a.heads;
  for (int i = threadIdx.x; i < (a.heads + kv_heads - first_head) * key_pairs; i += blockDim.x) {
    const int head = first_head + i / key_pairs, pair = i % key_pairs;
    const bool is_key = head >= a.heads;
    const float* from = is_key ? a.k + (row * kv_heads + head - a.heads) * a.state.key_width
                               : a.q + (row * a.heads + head) * a.state.key_width;
    const RopeArgs& rope = is_key ? a.k_rope : a.q_rope;
    const int pairs = rope.turns != nullptr ? rope.rotary_width / 2 : 0;
    const bool split = pair < pairs && !rope.interleaved;
    const int near = split ? pair : 2 * pair, far = split ? pair + pairs : 2 * pair + 1;
    const bool has_far = far < a.state.key_width;
    const float x = from[near], y = has_far ? from[far] : 0.0F;
    const float2 turn = pair < pairs ? rope.turns[row * pairs + pair] : float2{1.0F, 0.0F};
    const float turned[2] = {x * turn.x - y * turn.y, x * turn.y + y * turn.x};
    if (is_key) {
      unsigned char* to =
          a.state.keys +
          (first + static_cast<std::size_t>(head - a.heads) * a.state.page_tokens) * a.state.key_bytes;
      store_one(a, to, near, turned[0]);
      if (has_far) store_one(a, to, far, turned[1]);
    } else {
      float* to = a.q + (row * a.heads + head) * a.state.key_width;
      to[near] = turned[0];
      if (has_far) to[far] = turned[1];
    }
  }
  for (int i = threadIdx.x; i < kv_heads * a.state.value_width; i += blockDim.x) {
    const int head = i / a.state.value_width, column = i % a.state.value_width;
    store_one(
        a,
        a.state.values + (first + static_cast<std::size_t>(head) * a.state.page_tokens) * a.state.value_bytes,
        column, a.v[row * kv_heads * a.state.value_width + i]);
  }
}

// Grid (rows, heads + 2 kv heads): query heads are turned in place; keys are turned and stored; values are
// stored.
__global__ void __launch_bounds__(128) store_heads(AttentionLaunch a) {
  __shared__ float head[kWidest];
  wait_for_predecessor();
  const std::size_t row = blockIdx.x;
  const int index = blockIdx.y, kv_heads = a.state.kv_heads;
  const bool is_query = index < a.heads, is_key = !is_query && index < a.heads + kv_heads;
  if (is_query && a.q_rope.turns == nullptr) return;
  const int width = is_query || is_key ? a.state.key_width : a.state.value_width;
  const int kv_head = is_key ? index - a.heads : index - a.heads - kv_heads;
  const float* from = is_query ? a.q + (row * a.heads + index) * width
                               : (is_key ? a.k : a.v) + (row * kv_heads + kv_head) * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) head[i] = from[i];
  __syncthreads();
  const RopeArgs& rope = is_query ? a.q_rope : a.k_rope;
  const bool turned = (is_query || is_key) && rope.turns != nullptr;
  const int pairs = rope.rotary_width / 2;
  unsigned char* to = nullptr;
  if (!is_query) {
    const int position = a.index.positions[row];
    const int page = a.pages[a.page_starts[a.index.row_sequence[row]] + position / a.state.page_tokens];
    const std::size_t at = (static_cast<std::size_t>(page) * kv_heads + kv_head) * a.state.page_tokens +
                           position % a.state.page_tokens;
    to = is_key ? a.state.keys + at * a.state.key_bytes : a.state.values + at * a.state.value_bytes;
  }
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float y = head[i];
    if (turned && i < rope.rotary_width) {
      const int pair = rope.interleaved ? i / 2 : i % pairs;
      const bool second = rope.interleaved ? (i & 1) != 0 : i >= pairs;
      const float2 turn = rope.turns[row * pairs + pair];
      const float first_value = rope.interleaved ? head[2 * pair] : head[pair];
      const float second_value = rope.interleaved ? head[2 * pair + 1] : head[pair + pairs];
      y = second ? first_value * turn.y + second_value * turn.x
                 : first_value * turn.x - second_value * turn.y;
    }
    if (is_query) {
      a.q[(row * a.heads + index) * width + i] = y;
    } else if (a.state.kept == Kept::f16) {
      reinterpret_cast<__half*>(to)[i] = __float2half(y);
    } else if (a.state.kept == Kept::f32) {
      reinterpret_cast<float*>(to)[i] = y;
    } else {
      encode_q8_0(y, to, i);  // width is a multiple of 32: whole warps are here
    }
  }
}

struct Range {
  int begin, end;
};
__device__ __forceinline__ Range visible_part(const AttentionLaunch& a, int row, int split) {
  const int position = a.index.positions[row];
  const int first = a.window > 0 ? max(position - a.window + 1, 0) : 0, count = position + 1 - first;
  const int each = ((count + a.splits - 1) / a.splits + 15) / 16 * 16;
  const int begin = min(first + split * each, position + 1);
  return {begin, min(begin + each, position + 1)};
}

__device__ __forceinline__ float finish_score(const AttentionLaunch& a, float product) {
  const float score = product * a.scale;
  return a.soft_cap != 0.0F ? a.soft_cap * tanhf(score / a.soft_cap) : score;
}

// The softmax so far: everything is relative to `highest`.
__device__ __forceinline__ float weight_of(float score, float highest) {
  return highest == -INFINITY ? 0.0F : __expf(score - highest);
}

__device__ __forceinline__ void write_result(const AttentionLaunch& a, std::size_t row, int head, int split,
                                             int column, float sum, float total, float highest) {
  const int width = a.state.value_width;
  if (a.splits == 1) {
    a.out[(row * a.heads + head) * width + column] = sum / total;
    return;
  }
  float* to = a.partials + ((row * a.heads + head) * a.splits + split) * (width + 2);
  to[column] = sum;
  if (column == 0) {
    to[width] = total;
    to[width + 1] = highest;
  }
}

// f16 heads of W columns, G query heads at a time. W / 8 lanes hold a position.
template <int W, int G>
__global__ void __launch_bounds__(kWarps * 32) walk_grouped(AttentionLaunch a) {
  constexpr int kLanes = W / 8, kAtOnce = 32 / kLanes, kGroups = kWarps * kAtOnce;
  __shared__ float merged[kGroups][G][W + 2];
  wait_for_predecessor();
  const std::size_t row = a.row_list != nullptr ? a.row_list[blockIdx.x] : blockIdx.x;
  const int sharing = a.heads / a.state.kv_heads, chunks = (sharing + G - 1) / G;
  const int kv_head = blockIdx.y / chunks, first_head = kv_head * sharing + blockIdx.y % chunks * G;
  const int head_count = min(G, (kv_head + 1) * sharing - first_head);
  const int lane = threadIdx.x % 32, part = lane % kLanes, group = threadIdx.x / kLanes;
  float q[G][8], sums[G][8] = {}, total[G] = {}, highest[G];
#pragma unroll
  for (int g = 0; g < G; ++g) {
    const float* at = a.q + (row * a.heads + first_head + min(g, head_count - 1)) * W + part * 8;
#pragma unroll
    for (int i = 0; i < 8; ++i) q[g][i] = at[i];
    highest[g] = -INFINITY;
  }
  const Range range = visible_part(a, static_cast<int>(row), blockIdx.z);
  const int* pages = a.pages + a.page_starts[a.index.row_sequence[row]];
#pragma unroll 2
  for (int base = range.begin; base < range.end; base += kGroups) {
    const int p = base + group;
    const bool real = p < range.end;
    const int position = real ? p : range.end - 1;
    const std::size_t at =
        ((static_cast<std::size_t>(pages[position / a.state.page_tokens]) * a.state.kv_heads + kv_head) *
             a.state.page_tokens +
         position % a.state.page_tokens) *
            (W * 2) +
        part * 16;
    const uint4 key = *reinterpret_cast<const uint4*>(a.state.keys + at),
                value = *reinterpret_cast<const uint4*>(a.state.values + at);
    const float2 k[4] = {half_pair(key.x), half_pair(key.y), half_pair(key.z), half_pair(key.w)};
    const float2 v[4] = {half_pair(value.x), half_pair(value.y), half_pair(value.z), half_pair(value.w)};
#pragma unroll
    for (int g = 0; g < G; ++g) {
      float product = 0.0F;
#pragma unroll
      for (int i = 0; i < 4; ++i) product += q[g][2 * i] * k[i].x + q[g][2 * i + 1] * k[i].y;
#pragma unroll
      for (int offset = kLanes / 2; offset > 0; offset /= 2)
        product += __shfl_xor_sync(0xFFFFFFFFU, product, offset);
      const float score = real ? finish_score(a, product) : -INFINITY;
      const float top = fmaxf(highest[g], score), old = weight_of(highest[g], top),
                  weight = weight_of(score, top);
      highest[g] = top;
      total[g] = total[g] * old + weight;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        sums[g][2 * i] = sums[g][2 * i] * old + weight * v[i].x;
        sums[g][2 * i + 1] = sums[g][2 * i + 1] * old + weight * v[i].y;
      }
    }
  }
#pragma unroll
  for (int g = 0; g < G; ++g) {
#pragma unroll
    for (int i = 0; i < 8; ++i) merged[group][g][part * 8 + i] = sums[g][i];
    if (part == 0) {
      merged[group][g][W] = total[g];
      merged[group][g][W + 1] = highest[g];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < head_count * W; i += blockDim.x) {
    const int g = i / W, column = i % W;
    float top = -INFINITY, sum = 0.0F, all = 0.0F;
    for (int j = 0; j < kGroups; ++j) top = fmaxf(top, merged[j][g][W + 1]);
    for (int j = 0; j < kGroups; ++j) {
      const float weight = weight_of(merged[j][g][W + 1], top);
      sum += merged[j][g][column] * weight;
      all += merged[j][g][W] * weight;
    }
    write_result(a, row, first_head + g, blockIdx.z, column, sum, all, top);
  }
}

__device__ __forceinline__ float element(Kept kept, const unsigned char* row, int i) {
  if (kept == Kept::f32) return reinterpret_cast<const float*>(row)[i];
  if (kept == Kept::f16) return __half2float(reinterpret_cast<const __half*>(row)[i]);
  const unsigned char* block = row + i / 32 * 34;
  return __half2float(*reinterpret_cast<const __half*>(block)) *
         static_cast<float>(static_cast<signed char>(block[2 + i % 32]));
}

// Any width up to kWidest, any way of keeping; a block for each (row, head, split), a warp for every fourth
// position.
__global__ void __launch_bounds__(kWarps * 32) walk_general(AttentionLaunch a) {
  constexpr int kEach = kWidest / 32;
  __shared__ float merged[kWarps][kWidest + 2];
  wait_for_predecessor();
  const std::size_t row = a.row_list != nullptr ? a.row_list[blockIdx.x] : blockIdx.x;
  const int head = blockIdx.y, kv_head = head / (a.heads / a.state.kv_heads), lane = threadIdx.x % 32,
            warp = threadIdx.x / 32;
  const int key_width = a.state.key_width, value_width = a.state.value_width;
  const float* query = a.q + (row * a.heads + head) * key_width;
  float q[kEach], sums[kEach] = {}, total = 0.0F, highest = -INFINITY;
#pragma unroll
  for (int i = 0; i < kEach; ++i) q[i] = i * 32 + lane < key_width ? query[i * 32 + lane] : 0.0F;
  const Range range = visible_part(a, static_cast<int>(row), blockIdx.z);
  const int* pages = a.pages + a.page_starts[a.index.row_sequence[row]];
  for (int p = range.begin + warp; p < range.end; p += kWarps) {
    const std::size_t at =
        (static_cast<std::size_t>(pages[p / a.state.page_tokens]) * a.state.kv_heads + kv_head) *
            a.state.page_tokens +
        p % a.state.page_tokens;
    const unsigned char* key = a.state.keys + at * a.state.key_bytes;
    const unsigned char* value = a.state.values + at * a.state.value_bytes;
    float product = 0.0F;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (i * 32 >= key_width) break;
      if (i * 32 + lane < key_width) product += q[i] * element(a.state.kept, key, i * 32 + lane);
    }
    const float score = finish_score(a, warp_sum(product));
    const float top = fmaxf(highest, score), old = highest == -INFINITY ? 0.0F : expf(highest - top),
                weight = expf(score - top);
    highest = top;
    total = total * old + weight;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (i * 32 >= value_width) break;
      if (i * 32 + lane < value_width)
        sums[i] = sums[i] * old + weight * element(a.state.kept, value, i * 32 + lane);
    }
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) merged[warp][i * 32 + lane] = sums[i];
  if (lane == 0) {
    merged[warp][kWidest] = total;
    merged[warp][kWidest + 1] = highest;
  }
  __syncthreads();
  float top = -INFINITY, all = 0.0F;
  for (int j = 0; j < kWarps; ++j) top = fmaxf(top, merged[j][kWidest + 1]);
  float weights[kWarps];
#pragma unroll
  for (int j = 0; j < kWarps; ++j) {
    weights[j] = merged[j][kWidest + 1] == -INFINITY ? 0.0F : expf(merged[j][kWidest + 1] - top);
    all += merged[j][kWidest] * weights[j];
  }
  for (int column = threadIdx.x; column < value_width; column += blockDim.x) {
    float sum = 0.0F;
#pragma unroll
    for (int j = 0; j < kWarps; ++j) sum += merged[j][column] * weights[j];
    write_result(a, row, head, blockIdx.z, column, sum, all, top);
  }
}

__global__ void __launch_bounds__(128) merge_splits(AttentionLaunch a) {
  wait_for_predecessor();
  const std::size_t row = a.row_list != nullptr ? a.row_list[blockIdx.x] : blockIdx.x;
  const int head = blockIdx.y, width = a.state.value_width;
  const float* parts = a.partials + (row * a.heads + head) * a.splits * (width + 2);
  float top = -INFINITY, all = 0.0F;
  for (int s = 0; s < a.splits; ++s) top = fmaxf(top, parts[s * (width + 2) + width + 1]);
  for (int s = 0; s < a.splits; ++s) {
    const float highest = parts[s * (width + 2) + width + 1];
    all += highest == -INFINITY ? 0.0F : parts[s * (width + 2) + width] * expf(highest - top);
  }
  for (int column = threadIdx.x; column < width; column += blockDim.x) {
    float sum = 0.0F;
    for (int s = 0; s < a.splits; ++s) {
      const float highest = parts[s * (width + 2) + width + 1];
      if (highest != -INFINITY) sum += parts[s * (width + 2) + column] * expf(highest - top);
    }
    a.out[(row * a.heads + head) * width + column] = sum / all;
  }
}

template <int W>
void launch_grouped(const AttentionLaunch& a, int rows, cudaStream_t stream) {
  const int sharing = a.heads / a.state.kv_heads;
  const auto grid = [&](int at_once) {
    return dim3(rows, a.state.kv_heads * ((sharing + at_once - 1) / at_once), a.splits);
  };
  if (sharing == 1) {
    launch(walk_grouped<W, 1>, grid(1), kWarps * 32, 0, stream, a);
  } else if (sharing == 2) {
    launch(walk_grouped<W, 2>, grid(2), kWarps * 32, 0, stream, a);
  } else {
    launch(walk_grouped<W, 4>, grid(4), kWarps * 32, 0, stream, a);
  }
}

}  // namespace

void store_kv(const AttentionLaunch& a, cudaStream_t stream) {
  if (a.state.kept != Kept::q8_0) return launch(store_rows, a.rows, 256, 0, stream, a);
  launch(store_heads, dim3(a.rows, a.heads + 2 * a.state.kv_heads), 128, 0, stream, a);
}

void attend(const AttentionLaunch& a, cudaStream_t stream) {
  const int rows = a.row_list != nullptr ? a.listed : a.rows;
  const bool fast = a.state.kept == Kept::f16 && a.state.key_width == a.state.value_width;
  if (fast && a.state.key_width == 64) {
    launch_grouped<64>(a, rows, stream);
  } else if (fast && a.state.key_width == 128) {
    launch_grouped<128>(a, rows, stream);
  } else {
    launch(walk_general, dim3(rows, a.heads, a.splits), kWarps * 32, 0, stream, a);
  }
  if (a.splits > 1) launch(merge_splits, dim3(rows, a.heads), 128, 0, stream, a);
}

}  // namespace pensieve::hal::cuda
