// The ops on rows: embed, norms, rotation, element-wise functions, and the forms that linears want their
// input in.
#include "hal/cuda/codecs.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kThreads = 256;

unsigned blocks_for(std::size_t count) {
  const std::size_t blocks = (count + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < 4096 ? (blocks > 0 ? blocks : 1) : 4096);
}

// Grid (rows, parts of a row); a thread decodes 32 weights.
__global__ void embed_rows(Matrix table, const int* tokens, float* out) {
  wait_for_predecessor();
  const int row = blockIdx.x, width = table.columns, group = blockIdx.y * blockDim.x + threadIdx.x;
  if (group * 32 >= width) return;
  float weights[32];
  read32(table, tokens[row], group, weights);
  float* to = out + static_cast<std::size_t>(row) * width + group * 32;
  if (width % 32 == 0) {
#pragma unroll
    for (int i = 0; i < 32; i += 4)
      *reinterpret_cast<float4*>(to + i) = {weights[i], weights[i + 1], weights[i + 2], weights[i + 3]};
  } else {
    for (int i = 0; i < 32 && group * 32 + i < width; ++i) to[i] = weights[i];
  }
}

struct Moments {
  float mean, inverse;
};
// Of `count` values that the block's threads share, thread i starting at i.
__device__ Moments moments(const float* in, int count, const NormArgs& args, float* shared) {
  float mean = 0.0F;
  if (args.layer) {
    for (int i = threadIdx.x; i < count; i += blockDim.x) mean += in[i];
    mean = block_sum(mean, shared) / static_cast<float>(count);
  }
  float squares = 0.0F;
  for (int i = threadIdx.x; i < count; i += blockDim.x) squares += (in[i] - mean) * (in[i] - mean);
  squares = block_sum(squares, shared);
  return {mean, rsqrtf(squares / static_cast<float>(count) + args.epsilon)};
}

__device__ __forceinline__ float normalized(float x, const Moments& m, const NormArgs& args, int column) {
  float y = (x - m.mean) * m.inverse;
  if (args.weight != nullptr) y *= args.weight[column];
  if (args.bias != nullptr) y += args.bias[column];
  return y;
}

// One block for each group of columns.
__global__ void norm_groups(const float* in, NormArgs args, float* out) {
  __shared__ float shared[33];
  wait_for_predecessor();
  const std::size_t at = static_cast<std::size_t>(blockIdx.x) * args.group_width;
  const Moments m = moments(in + at, args.group_width, args, shared);
  for (int i = threadIdx.x; i < args.group_width; i += blockDim.x)
    out[at + i] = normalized(in[at + i], m, args, i);
}

// One group of 32 columns in the form wanted; each lane of the warp has one.
__device__ __forceinline__ void put_group(const Prepared& out, std::size_t row, int group, float x) {
  const std::size_t at = row * out.stride + group * 32 + threadIdx.x % 32;
  if (out.form == Form::f32) {
    static_cast<float*>(out.data)[at] = x;
  } else {
    static_cast<__nv_bfloat16*>(out.data)[at] = __float2bfloat16(x);
  }
}

// A warp takes 32 columns at a time; grid (rows, parts of a row), one part when a norm needs the whole row.
__global__ void prepare_rows(const float* in, int width, NormArgs args, Prepared out) {
  __shared__ float shared[33];
  wait_for_predecessor();
  const std::size_t row = blockIdx.x;
  const float* from = in + row * width;
  Moments m{0.0F, 1.0F};
  if (args.present) m = moments(from, width, args, shared);
  const int warps = blockDim.x / 32, lane = threadIdx.x % 32, groups = out.stride / 32;
  for (int group = blockIdx.y * warps + threadIdx.x / 32; group < groups; group += gridDim.y * warps) {
    const int column = group * 32 + lane;
    float x = column < width ? from[column] : 0.0F;
    if (args.present && column < width) x = normalized(x, m, args, column);
    put_group(out, row, group, x);
  }
}

// The same with a root-mean-square norm, for few rows of up to kHeld columns a thread: everything is loaded
// at once.
constexpr int kHeld = 8;
__global__ void __launch_bounds__(1024)
    prepare_held(const float* in, int width, NormArgs args, Prepared out) {
  __shared__ float shared[33];
  float x[kHeld], weight[kHeld];
#pragma unroll
  for (int i = 0; i < kHeld; ++i) {
    const int column = i * blockDim.x + threadIdx.x;
    weight[i] = column < width && args.weight != nullptr ? args.weight[column] : 1.0F;
  }
  wait_for_predecessor();
  const std::size_t row = blockIdx.x;
  float squares = 0.0F;
#pragma unroll
  for (int i = 0; i < kHeld; ++i) {
    const int column = i * blockDim.x + threadIdx.x;
    x[i] = column < width ? in[row * width + column] : 0.0F;
    squares += x[i] * x[i];
  }
  const float inverse = rsqrtf(block_sum(squares, shared) / static_cast<float>(width) + args.epsilon);
#pragma unroll
  for (int i = 0; i < kHeld; ++i) {
    const int group = (i * blockDim.x + threadIdx.x) / 32;
    if (group * 32 < out.stride) put_group(out, row, group, x[i] * inverse * weight[i]);
  }
}

// Angles grow to thousands of turns: double precision here, once for a step.
__global__ void turns_of(const double* angles, int pairs, double magnitude, const int* positions, int rows,
                         float2* turns) {
  wait_for_predecessor();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < rows * pairs; i += gridDim.x * blockDim.x) {
    double sine, cosine;
    sincos(static_cast<double>(positions[i / pairs]) * angles[i % pairs], &sine, &cosine);
    turns[i] = {static_cast<float>(cosine * magnitude), static_cast<float>(sine * magnitude)};
  }
}

__global__ void gather(const int* positions, const int* output_rows, int rows, int* out) {
  wait_for_predecessor();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < rows; i += gridDim.x * blockDim.x)
    out[i] = positions[output_rows[i]];
}

__global__ void rope_rows(const float* in, int width, RopeArgs args, float* out) {
  wait_for_predecessor();
  const std::size_t row = blockIdx.x;
  const int pairs = args.rotary_width / 2;
  for (int column = threadIdx.x; column < width; column += blockDim.x) {
    const int within = column % args.head_width;
    const float* head = in + row * width + column - within;
    float y = head[within];
    if (within < args.rotary_width) {
      const int pair = args.interleaved ? within / 2 : within % pairs;
      const bool second = args.interleaved ? (within & 1) != 0 : within >= pairs;
      const float2 turn = args.turns[row * pairs + pair];
      const float a = args.interleaved ? head[2 * pair] : head[pair],
                  b = args.interleaved ? head[2 * pair + 1] : head[pair + pairs];
      y = second ? a * turn.y + b * turn.x : a * turn.x - b * turn.y;
    }
    out[row * width + column] = y;
  }
}

__global__ void activate_all(Act kind, const float* in, const float* gated, std::size_t count, float* out) {
  wait_for_predecessor();
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count;
       i += static_cast<std::size_t>(gridDim.x) * blockDim.x) {
    const float y = apply_activation(kind, in[i]);
    out[i] = gated != nullptr ? y * gated[i] : y;
  }
}

__global__ void add_all(const float* a, const float* b, std::size_t count, float* out) {
  wait_for_predecessor();
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count;
       i += static_cast<std::size_t>(gridDim.x) * blockDim.x)
    out[i] = a[i] + b[i];
}

__global__ void scale_all(const float* in, float factor, std::size_t count, float* out) {
  wait_for_predecessor();
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count;
       i += static_cast<std::size_t>(gridDim.x) * blockDim.x)
    out[i] = in[i] * factor;
}

// Grid (output rows, parts of a row).
__global__ void select(const float* in, const int* output_rows, int width, float* out) {
  wait_for_predecessor();
  const int i = blockIdx.y * blockDim.x + threadIdx.x;
  if (i < width)
    out[static_cast<std::size_t>(blockIdx.x) * width + i] =
        in[static_cast<std::size_t>(output_rows[blockIdx.x]) * width + i];
}

}  // namespace

void embed(const Matrix& table, const int* tokens, int rows, float* out, cudaStream_t stream) {
  launch(embed_rows, dim3(rows, (table.columns + 1023) / 1024), 32, 0, stream, table, tokens, out);
}

void prepare(const float* in, int rows, int width, const NormArgs& args, const Prepared& out,
             cudaStream_t stream) {
  if (args.present && !args.layer && args.bias == nullptr && out.stride <= kHeld * 1024) {
    launch(prepare_held, rows,
           out.stride <= 1024   ? 256
           : out.stride <= 4096 ? 512
                                : 1024,
           0, stream, in, width, args, out);
  } else if (args.present) {
    launch(prepare_rows, rows, rows <= 132 ? 1024 : 256, 0, stream, in, width, args, out);
  } else {
    const int parts = rows <= 132 ? (out.stride + 255) / 256 : 1;
    launch(prepare_rows, dim3(rows, parts), 256, 0, stream, in, width, args, out);
  }
}

void norm(const float* in, int rows, int width, const NormArgs& args, float* out, cudaStream_t stream) {
  const int groups = rows * (width / args.group_width);
  launch(norm_groups, groups, args.group_width > 1024 ? 512 : 128, 0, stream, in, args, out);
}

void rope_turns(const double* angles, int pairs, double magnitude, const int* positions, int rows,
                float2* turns, cudaStream_t stream) {
  launch(turns_of, blocks_for(static_cast<std::size_t>(rows) * pairs), kThreads, 0, stream, angles, pairs,
         magnitude, positions, rows, turns);
}

void gather_positions(const int* positions, const int* output_rows, int rows, int* out, cudaStream_t stream) {
  launch(gather, blocks_for(rows), kThreads, 0, stream, positions, output_rows, rows, out);
}

void rope(const float* in, int rows, int width, const RopeArgs& args, float* out, cudaStream_t stream) {
  launch(rope_rows, rows, kThreads, 0, stream, in, width, args, out);
}

void activate(Act kind, const float* in, const float* gated, std::size_t count, float* out,
              cudaStream_t stream) {
  launch(activate_all, blocks_for(count), kThreads, 0, stream, kind, in, gated, count, out);
}

void add(const float* a, const float* b, std::size_t count, float* out, cudaStream_t stream) {
  launch(add_all, blocks_for(count), kThreads, 0, stream, a, b, count, out);
}

void scale(const float* in, float factor, std::size_t count, float* out, cudaStream_t stream) {
  launch(scale_all, blocks_for(count), kThreads, 0, stream, in, factor, count, out);
}

void select_rows(const float* in, const int* output_rows, int rows, int width, float* out,
                 cudaStream_t stream) {
  launch(select, dim3(rows, (width + kThreads - 1) / kThreads), kThreads, 0, stream, in, output_rows, width,
         out);
}

}  // namespace pensieve::hal::cuda
