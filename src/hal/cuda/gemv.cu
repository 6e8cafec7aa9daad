// linear for few rows in the formats that stream.cu does not read: f32, and blocks as the file has them. A
// warp makes one output, 16 bytes or 8 weights a lane, for up to four rows.
#include <algorithm>

#include "hal/cuda/codecs.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kWarps = 8;

template <int R>
struct PlainInput {  // rows that are not there read the last one
  const float* rows[R];
  __device__ __forceinline__ PlainInput(const Prepared& input, int first_row, int count) {
#pragma unroll
    for (int r = 0; r < R; ++r)
      rows[r] = static_cast<const float*>(input.data) +
                static_cast<std::size_t>(first_row + min(r, count - 1)) * input.stride;
  }
};

// The lane's share of a row.
template <Stored S, int R>
__device__ __forceinline__ void accumulate(const Matrix& m, int row, const PlainInput<R>& x,
                                           float (&sums)[R]) {
  const unsigned char* from = m.quants + row * m.row_bytes;
  if constexpr (S == Stored::f32) {
#pragma unroll 4
    for (int unit = threadIdx.x % 32; unit < m.stride / 4; unit += 32) {
      const float4 w = __ldg(reinterpret_cast<const float4*>(from) + unit);
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const float4 a = reinterpret_cast<const float4*>(x.rows[r])[unit];
        sums[r] += w.x * a.x + w.y * a.y + w.z * a.z + w.w * a.w;
      }
    }
  } else {
    for (int unit = threadIdx.x % 32; unit < m.columns / 8; unit += 32) {
      float w[8];
      decode8(m.type, from + static_cast<std::size_t>(unit * 8 / m.block_elements) * m.block_bytes,
              unit * 8 % m.block_elements, w);
#pragma unroll
      for (int r = 0; r < R; ++r) {
#pragma unroll
        for (int i = 0; i < 8; ++i) sums[r] += w[i] * x.rows[r][unit * 8 + i];
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) sums[r] = warp_sum(sums[r]);
}

template <Stored S, int R>
__global__ void __launch_bounds__(kWarps * 32) vector_kernel(LinearLaunch launch, int outputs) {
  wait_for_predecessor();
  const int lane = threadIdx.x % 32, first_row = blockIdx.y * R, rows = min(R, launch.rows - first_row);
  const PlainInput<R> x(launch.input, first_row, rows);
  for (int output = blockIdx.x * kWarps + threadIdx.x / 32; output < outputs; output += gridDim.x * kWarps) {
    int index = 0, row = output;
    while (row >= launch.parts[index].weight.rows) row -= launch.parts[index++].weight.rows;
    const LinearPart& part = launch.parts[index];
    float sums[R] = {}, paired[R] = {};
    accumulate<S, R>(part.weight, row, x, sums);
    if (part.paired.quants != nullptr) accumulate<S, R>(part.paired, row, x, paired);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      if (lane != r || r >= rows) continue;
      const std::size_t at = static_cast<std::size_t>(first_row + r) * part.weight.rows + row;
      float y = apply_activation(part.activation, sums[r] + (part.bias != nullptr ? part.bias[row] : 0.0F));
      if (part.paired.quants != nullptr)
        y *= paired[r] + (part.paired_bias != nullptr ? part.paired_bias[row] : 0.0F);
      if (part.residual != nullptr) y += part.residual[at];
      part.out[at] = y;
    }
  }
}

template <Stored S>
void run(const LinearLaunch& l, cudaStream_t stream) {
  int outputs = 0;
  for (int i = 0; i < l.part_count; ++i) outputs += l.parts[i].weight.rows;
  const auto blocks = static_cast<unsigned>(std::min((outputs + kWarps - 1) / kWarps, 8 * l.multiprocessors));
  if (l.rows == 1) {
    launch(vector_kernel<S, 1>, blocks, kWarps * 32, 0, stream, l, outputs);
  } else {
    launch(vector_kernel<S, 4>, dim3(blocks, static_cast<unsigned>((l.rows + 3) / 4)), kWarps * 32, 0, stream,
           l, outputs);
  }
}

}  // namespace

void linear_vector(const LinearLaunch& l, cudaStream_t stream) {
  if (l.parts[0].weight.stored == Stored::f32) {
    run<Stored::f32>(l, stream);
  } else {
    run<Stored::blocks>(l, stream);
  }
}

}  // namespace pensieve::hal::cuda
