// linear for few rows: a warp makes one output (with its pair, when gated) and reads each weight once, 16
// bytes a lane, for up to kGemvRows rows. Quantized weights meet 8-bit inputs in integer dot products; others
// meet f32.
#include <type_traits>

#include "hal/cuda/codecs.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kWarps = 8;

// A lane's part of a row: every `step`th unit from `first` on. Up to kWarps warps share a row where there are
// few rows.
struct Share {
  int first, step;
};

__device__ __forceinline__ float dot8(const float (&w)[8], float4 a, float4 b) {
  return w[0] * a.x + w[1] * a.y + w[2] * a.z + w[3] * a.w + w[4] * b.x + w[5] * b.y + w[6] * b.z +
         w[7] * b.w;
}

template <int R>
struct PlainInput {  // rows that are not there read the last one
  const float* rows[R];
  __device__ __forceinline__ PlainInput(const Prepared& input, int first_row, int count) {
#pragma unroll
    for (int r = 0; r < R; ++r)
      rows[r] = static_cast<const float*>(input.data) +
                static_cast<std::size_t>(first_row + (r < count ? r : count - 1)) * input.stride;
  }
};

// One unit (16 bytes of plain weights, 8 weights of a block) against R rows.
template <Stored S, int R>
__device__ __forceinline__ void accumulate_unit(const Matrix& m, int row, int unit, const PlainInput<R>& x,
                                                float (&sums)[R]) {
  if constexpr (S == Stored::f32) {
    const uint4 raw = load16(m.quants + (static_cast<std::size_t>(row) * m.stride + unit * 4) * 4);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const float4 a = *reinterpret_cast<const float4*>(x.rows[r] + unit * 4);
      sums[r] += __uint_as_float(raw.x) * a.x + __uint_as_float(raw.y) * a.y + __uint_as_float(raw.z) * a.z +
                 __uint_as_float(raw.w) * a.w;
    }
    return;
  }
  float w[8];
  if constexpr (S == Stored::blocks) {
    const std::size_t block =
        static_cast<std::size_t>(row) * (m.columns / m.block_elements) + unit * 8 / m.block_elements;
    decode8(m.type, m.quants + block * m.block_bytes, unit * 8 % m.block_elements, w);
  } else {
    const uint4 raw = load16(m.quants + (static_cast<std::size_t>(row) * m.stride + unit * 8) * 2);
    const std::uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 pair = S == Stored::f16 ? half_pair(words[i]) : bfloat_pair(words[i]);
      w[2 * i] = pair.x;
      w[2 * i + 1] = pair.y;
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const float4* at = reinterpret_cast<const float4*>(x.rows[r] + unit * 8);
    sums[r] += dot8(w, at[0], at[1]);
  }
}

// Sum of products of four unsigned and four signed bytes.
__device__ __forceinline__ int dot4(std::uint32_t weights, std::uint32_t inputs, int sum) {
  int result;
  asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(weights), "r"(inputs), "r"(sum));
  return result;
}
__device__ __forceinline__ int dot16(uint4 a, uint4 b) {
  return dot4(a.w, b.w, dot4(a.z, b.z, dot4(a.y, b.y, dot4(a.x, b.x, 0))));
}
__device__ __forceinline__ int dot16_signed(uint4 a, uint4 b) {
  int sum = __dp4a(static_cast<int>(a.x), static_cast<int>(b.x), 0);
  sum = __dp4a(static_cast<int>(a.y), static_cast<int>(b.y), sum);
  sum = __dp4a(static_cast<int>(a.z), static_cast<int>(b.z), sum);
  return __dp4a(static_cast<int>(a.w), static_cast<int>(b.w), sum);
}
__device__ __forceinline__ uint4 masked(uint4 x, std::uint32_t mask) {
  return {x.x & mask, x.y & mask, x.z & mask, x.w & mask};
}
constexpr std::uint32_t kLow = 0x0F0F0F0FU,
                        kHigh =
                            0xF0F0F0F0U;  // high nibbles stay in place: their products are 16 times as large
__device__ __forceinline__ std::uint32_t six_bits(std::uint32_t low, std::uint32_t pairs, int low_shift,
                                                  int pair_shift) {
  return (low >> low_shift & kLow) | (pairs >> pair_shift & 0x03030303U) << 4;
}
__device__ __forceinline__ uint4 six_bits(uint4 low, uint4 pairs, int low_shift, int pair_shift) {
  return {six_bits(low.x, pairs.x, low_shift, pair_shift), six_bits(low.y, pairs.y, low_shift, pair_shift),
          six_bits(low.z, pairs.z, low_shift, pair_shift), six_bits(low.w, pairs.w, low_shift, pair_shift)};
}

struct Input8 {  // one row of a q8 input
  const unsigned char* quants;
  const uint2* meta;
  __device__ __forceinline__ uint4 at(int weight) const {
    return *reinterpret_cast<const uint4*>(quants + weight);
  }
  __device__ __forceinline__ uint4 two_metas(int group) const {
    return *reinterpret_cast<const uint4*>(meta + group);
  }
};
__device__ __forceinline__ float step_of(uint2 meta) {
  return __uint_as_float(meta.x);
}
__device__ __forceinline__ int low_sum(uint2 meta) {
  return static_cast<short>(meta.y & 0xFFFFU);
}
__device__ __forceinline__ int high_sum(uint2 meta) {
  return static_cast<short>(meta.y >> 16);
}

// What a lane takes at once: 32 weights, or 64 of formats in blocks of 256.
template <Stored S>
constexpr int kUnit = S == Stored::q4_k || S == Stored::q6_k ? 64 : 32;

// One unit of a weight row against R rows.
template <Stored S, int R>
__device__ __forceinline__ void accumulate_unit(const Matrix& m, int row, int unit, const Input8 (&x)[R],
                                                float (&sums)[R]) {
  if constexpr (S == Stored::q8_0) {
    const std::size_t block = static_cast<std::size_t>(row) * (m.columns / 32) + unit;
    const uint4 first = load16(m.quants + block * 32), second = load16(m.quants + block * 32 + 16);
    const float d = half_bits(__ldg(reinterpret_cast<const unsigned short*>(m.scales) + block));
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int dot = dot16_signed(first, x[r].at(unit * 32)) + dot16_signed(second, x[r].at(unit * 32 + 16));
      sums[r] += d * __uint_as_float(x[r].meta[unit].x) * static_cast<float>(dot);
    }
  } else if constexpr (S == Stored::q4_0 || S == Stored::q4_1) {
    const std::size_t block = static_cast<std::size_t>(row) * (m.columns / 32) + unit;
    const uint4 q = load16(m.quants + block * 16);
    float2 d;
    if constexpr (S == Stored::q4_0) {
      d = {half_bits(__ldg(reinterpret_cast<const unsigned short*>(m.scales) + block)), 0.0F};
    } else {
      d = half_pair(__ldg(reinterpret_cast<const unsigned int*>(m.scales) + block));
    }
    const uint4 low = masked(q, kLow), high = masked(q, kHigh);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint2 meta = x[r].meta[unit];
      const int sum = low_sum(meta) + high_sum(meta);
      const int dot = dot16(low, x[r].at(unit * 32)) +
                      dot16(high, x[r].at(unit * 32 + 16)) / 16;  // exact: a multiple of 16
      if constexpr (S == Stored::q4_0) {
        sums[r] += d.x * step_of(meta) * static_cast<float>(dot - 8 * sum);
      } else {
        sums[r] += step_of(meta) * (d.x * static_cast<float>(dot) + d.y * static_cast<float>(sum));
      }
    }
  } else if constexpr (S == Stored::q4_k) {
    const int block = unit / 4, pair = unit % 4;
    const unsigned char* at = m.quants + (static_cast<std::size_t>(row) * (m.columns / 256) + block) * 144;
    const uint4 header = load16(at), q0 = load16(at + 16 + pair * 32), q1 = load16(at + 32 + pair * 32);
    std::uint32_t scales, minima;
    q4_k_scales(header, pair, scales, minima);
    const float2 d = half_pair(header.x);
    const float scale0 = d.x * static_cast<float>(scales & 255),
                scale1 = d.x * 0.0625F * static_cast<float>(scales >> 8);
    const float minimum0 = d.y * static_cast<float>(minima & 255),
                minimum1 = d.y * static_cast<float>(minima >> 8);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint4 meta = x[r].two_metas(unit * 2);
      const uint2 first{meta.x, meta.y}, second{meta.z, meta.w};
      const int dot0 =
          dot16(masked(q0, kLow), x[r].at(unit * 64)) + dot16(masked(q1, kLow), x[r].at(unit * 64 + 16));
      const int dot1 = dot16(masked(q0, kHigh), x[r].at(unit * 64 + 32)) +
                       dot16(masked(q1, kHigh), x[r].at(unit * 64 + 48));
      sums[r] += step_of(first) * (scale0 * static_cast<float>(dot0) -
                                   minimum0 * static_cast<float>(low_sum(first) + high_sum(first))) +
                 step_of(second) * (scale1 * static_cast<float>(dot1) -
                                    minimum1 * static_cast<float>(low_sum(second) + high_sum(second)));
    }
  } else if constexpr (S == Stored::q6_k) {
    // The unit's 16 bytes of upper bits serve four groups of 16 weights, a row of 32 weights apart.
    const int upper_half = unit % 4 / 2, half = unit & 1, group = unit / 4 * 8 + upper_half * 4;
    const std::size_t block = static_cast<std::size_t>(row) * (m.columns / 256) + unit / 4;
    const unsigned char* low = m.quants + block * 128 + upper_half * 64 + half * 16;
    const uint4 q0 = load16(low), q1 = load16(low + 32),
                pairs = load16(m.upper + block * 64 + upper_half * 32 + half * 16);
    const uint2 fine = __ldg(reinterpret_cast<const uint2*>(m.fine + block * 16 + upper_half * 8));
    const float d = half_bits(__ldg(reinterpret_cast<const unsigned short*>(m.scales) + block));
    const std::uint32_t fine0 = fine.x >> 8 * half, fine1 = fine.y >> 8 * half;
    const float scales[4] = {d * static_cast<float>(static_cast<signed char>(fine0)),
                             d * static_cast<float>(static_cast<signed char>(fine0 >> 16)),
                             d * static_cast<float>(static_cast<signed char>(fine1)),
                             d * static_cast<float>(static_cast<signed char>(fine1 >> 16))};
    const uint4 weights[4] = {six_bits(q0, pairs, 0, 0), six_bits(q1, pairs, 0, 2), six_bits(q0, pairs, 4, 4),
                              six_bits(q1, pairs, 4, 6)};
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const uint4 near = x[r].two_metas(group), far = x[r].two_metas(group + 2);
      const uint2 metas[4] = {{near.x, near.y}, {near.z, near.w}, {far.x, far.y}, {far.z, far.w}};
#pragma unroll
      for (int g = 0; g < 4; ++g) {
        const int sum = half != 0 ? high_sum(metas[g]) : low_sum(metas[g]);
        const int dot = dot16(weights[g], x[r].at((group + g) * 32 + half * 16));
        sums[r] += step_of(metas[g]) * scales[g] * static_cast<float>(dot - 32 * sum);
      }
    }
  }
}

template <int R>
struct QuantizedInput {
  Input8 rows[R];
  __device__ __forceinline__ QuantizedInput(const Prepared& input, int first_row, int count) {
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const std::size_t at = first_row + (r < count ? r : count - 1);
      rows[r] = {static_cast<const unsigned char*>(input.data) + at * input.stride,
                 static_cast<const uint2*>(input.meta) + at * (input.stride / 32)};
    }
  }
};
template <Stored S, int R>
__device__ __forceinline__ void accumulate_unit(const Matrix& m, int row, int unit,
                                                const QuantizedInput<R>& x, float (&sums)[R]) {
  accumulate_unit<S, R>(m, row, unit, x.rows, sums);
}

template <Stored S>
constexpr bool kPlain = S == Stored::f32 || S == Stored::f16 || S == Stored::bf16 || S == Stored::blocks;

// The lane's share of a row, and of the gated pair's in the same walk, so that the loads of both are under
// way together.
template <Stored S, int R, bool kGated>
__device__ __forceinline__ void accumulate(const LinearPart& part, int row, const Prepared& input,
                                           int first_row, int rows, Share share, float (&sums)[R],
                                           float (&paired)[R]) {
  using Input = std::conditional_t<kPlain<S>, PlainInput<R>, QuantizedInput<R>>;
  const Input x(input, first_row, rows);
  const int units = S == Stored::f32 ? part.weight.stride / 4
                    : S == Stored::f16 || S == Stored::bf16
                        ? part.weight.stride / 8
                        : part.weight.columns / (S == Stored::blocks ? 8 : kUnit<S>);
  constexpr int kUnroll = R > 1 || S == Stored::blocks ? 1 : kPlain<S> ? (kGated ? 4 : 8) : kGated ? 1 : 2;
#pragma unroll kUnroll
  for (int unit = share.first; unit < units; unit += share.step) {
    accumulate_unit<S, R>(part.weight, row, unit, x, sums);
    if constexpr (kGated) accumulate_unit<S, R>(part.paired, row, unit, x, paired);
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    sums[r] = warp_sum(sums[r]);
    if constexpr (kGated) paired[r] = warp_sum(paired[r]);
  }
}

// Asks for the first lines of a weight row, one a lane, before they are needed: weights depend on no other
// kernel. No more than `lines`, for what all warps ask for must stay in the cache until it is read.
template <Stored S>
__device__ __forceinline__ void prefetch_row(const Matrix& m, int row, Share share, int lines) {
  const std::size_t bytes = S == Stored::f32                        ? m.stride * 4ULL
                            : S == Stored::f16 || S == Stored::bf16 ? m.stride * 2ULL
                            : S == Stored::q8_0                     ? m.columns
                            : S == Stored::q4_k                     ? m.columns / 256 * 144ULL
                                                                    : m.columns / 2ULL;
  const std::size_t at = share.first * 128ULL;
  if (static_cast<int>(threadIdx.x % 32) < lines && at < bytes)
    asm volatile("prefetch.global.L2 [%0];" ::"l"(m.quants + row * bytes + at));
}

// Which matrix an output of the launch belongs to, and its row there.
struct Place {
  int part, row;
};
__device__ __forceinline__ Place place_of(const LinearLaunch& launch, int output) {
  int part = 0;
  while (part < launch.part_count && output >= launch.parts[part].weight.rows)
    output -= launch.parts[part++].weight.rows;
  return {part, output};
}

template <Stored S, bool kGated>
__device__ __forceinline__ void prefetch_output(const LinearLaunch& launch, int output, Share share) {
  if constexpr (S != Stored::blocks) {
    const Place place = place_of(launch, output);
    if (place.part == launch.part_count) return;
    prefetch_row<S>(launch.parts[place.part].weight, place.row, share, kGated ? 12 : 24);
    if constexpr (kGated) prefetch_row<S>(launch.parts[place.part].paired, place.row, share, 12);
  }
}

template <int R, bool kGated>
__device__ __forceinline__ void finish_output(const LinearPart& part, int output, int first_row, int rows,
                                              const float (&sums)[R], const float (&paired)[R]) {
  const int lane = threadIdx.x % 32, width = part.weight.rows;
#pragma unroll
  for (int r = 0; r < R; ++r) {
    if (lane != r || r >= rows) continue;
    const std::size_t at = static_cast<std::size_t>(first_row + r) * width + output;
    float y = sums[r] + (part.bias != nullptr ? part.bias[output] : 0.0F);
    y = apply_activation(part.activation, y);
    if (kGated) y *= paired[r] + (part.paired_bias != nullptr ? part.paired_bias[output] : 0.0F);
    if (part.residual != nullptr) y += part.residual[at];
    part.out[at] = y;
  }
}

// `sharers` warps, a power of two, make one output; blocks stay and take one set of outputs after the other.
template <Stored S, int R, bool kGated>
__global__ void __launch_bounds__(kWarps * 32, R == 1 ? 4 : 2)
    vector_kernel(LinearLaunch launch, int outputs, int sharers) {
  __shared__ float parts[2][kWarps][R];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, at_once = kWarps / sharers,
            step = gridDim.x * at_once;
  const Share share{warp % sharers * 32 + lane, sharers * 32};
  int output = blockIdx.x * at_once + warp / sharers;
  prefetch_output<S, kGated>(launch, output, share);
  wait_for_predecessor();
  const int first_row = blockIdx.y * R, rows = min(R, launch.rows - first_row);
  for (int first = blockIdx.x * at_once; first < outputs; first += step, output += step) {
    const Place place = place_of(launch, output);
    const bool real = place.part < launch.part_count;
    prefetch_output<S, kGated>(launch, output + step, share);
    float sums[R] = {}, paired[R] = {};
    if (real)
      accumulate<S, R, kGated>(launch.parts[place.part], place.row, launch.input, first_row, rows, share,
                               sums, paired);
    if (sharers > 1) {
      if (lane == 0) {
#pragma unroll
        for (int r = 0; r < R; ++r) {
          parts[0][warp][r] = sums[r];
          parts[1][warp][r] = paired[r];
        }
      }
      __syncthreads();
      for (int other = 1; other < sharers && warp % sharers == 0; ++other) {
#pragma unroll
        for (int r = 0; r < R; ++r) {
          sums[r] += parts[0][warp + other][r];
          paired[r] += parts[1][warp + other][r];
        }
      }
      __syncthreads();
    }
    if (real && warp % sharers == 0)
      finish_output<R, kGated>(launch.parts[place.part], place.row, first_row, rows, sums, paired);
  }
}

template <Stored S, bool kGated>
void launch_rows(const LinearLaunch& l, cudaStream_t stream) {
  int outputs = 0;
  for (int i = 0; i < l.part_count; ++i) outputs += l.parts[i].weight.rows;
  // Enough warps to keep every multiprocessor's loads in flight, but at least two units a lane.
  const int units = l.input.stride / (S == Stored::f32                                               ? 4
                                      : S == Stored::q4_k || S == Stored::q6_k                       ? 64
                                      : S == Stored::f16 || S == Stored::bf16 || S == Stored::blocks ? 8
                                                                                                     : 32);
  int sharers = 1;
  while (sharers < kWarps && outputs * sharers < 32 * l.multiprocessors && units >= sharers * 2 * 64)
    sharers *= 2;
  const int needed = (outputs * sharers + kWarps - 1) / kWarps,
            resident = (l.rows == 1 ? 4 : 2) * l.multiprocessors;
  const unsigned blocks = static_cast<unsigned>(needed < resident ? needed : resident);
  if (l.rows == 1) {
    launch(vector_kernel<S, 1, kGated>, blocks, kWarps * 32, 0, stream, l, outputs, sharers);
  } else {
    launch(vector_kernel<S, 4, kGated>, dim3(blocks, static_cast<unsigned>((l.rows + 3) / 4)), kWarps * 32, 0,
           stream, l, outputs, sharers);
  }
}

// Parts with a gate and parts without are launched apart.
template <Stored S>
void launch_parts(const LinearLaunch& l, cudaStream_t stream) {
  LinearLaunch plain = l, gated = l;
  plain.part_count = gated.part_count = 0;
  for (int i = 0; i < l.part_count; ++i) {
    LinearLaunch& to = l.parts[i].paired.quants != nullptr ? gated : plain;
    to.parts[to.part_count++] = l.parts[i];
  }
  if (plain.part_count > 0) launch_rows<S, false>(plain, stream);
  if (gated.part_count > 0) launch_rows<S, true>(gated, stream);
}

}  // namespace

void linear_vector(const LinearLaunch& l, cudaStream_t stream) {
  switch (l.parts[0].weight.stored) {
    case Stored::f32:
      return launch_parts<Stored::f32>(l, stream);
    case Stored::f16:
      return launch_parts<Stored::f16>(l, stream);
    case Stored::bf16:
      return launch_parts<Stored::bf16>(l, stream);
    case Stored::q8_0:
      return launch_parts<Stored::q8_0>(l, stream);
    case Stored::q4_0:
      return launch_parts<Stored::q4_0>(l, stream);
    case Stored::q4_1:
      return launch_parts<Stored::q4_1>(l, stream);
    case Stored::q4_k:
      return launch_parts<Stored::q4_k>(l, stream);
    case Stored::q6_k:
      return launch_parts<Stored::q6_k>(l, stream);
    case Stored::blocks:
      return launch_parts<Stored::blocks>(l, stream);
  }
}

}  // namespace pensieve::hal::cuda
