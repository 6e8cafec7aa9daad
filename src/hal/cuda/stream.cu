// linear for one to four rows: each warp streams whole weight rows through a ring of its own in shared memory
// and makes one output after the other. The ring is filled before the predecessor has ended, for weights
// depend on no kernel; the norm and the form of the input are made by every block for itself meanwhile.
// Not for f32 weights and formats kept in the file's blocks: those are gemv.cu's.
#include <algorithm>

#include "hal/cuda/codecs.cuh"
#include "hal/cuda/ring.cuh"
#include "hal/cuda/stream_input.cuh"

namespace pensieve::hal::cuda {
namespace {

constexpr int kWarps = kStreamWarps, kThreads = kStreamThreads;

struct StreamShape {
  int outputs = 0, stride = 0;  // columns of the staged input, a multiple of 64
  int segments = 0, segment_columns = 0, slots = 0, slot_bytes = 0;
  int row_bytes = 0, meta_bytes = 0;  // of one staged row
  __host__ __device__ std::size_t ring_bytes() const {
    return static_cast<std::size_t>(kWarps) * slots * slot_bytes;
  }
  __host__ __device__ std::size_t shared() const { return ring_bytes() + kWarps * kMostSlots * 8; }
};

// Where a warp stands in its sequence of segments: outputs, segments of each, and the gated pair's in turn.
template <bool kGated>
struct Cursor {
  int output, segment = 0, part = 0, row = 0;
  bool paired = false, real = true;
  __device__ __forceinline__ Cursor(const LinearLaunch& l, int first) : output(first) { settle(l); }
  __device__ __forceinline__ void settle(const LinearLaunch& l) {
    row = output;
    part = 0;
    while (part < l.part_count && row >= l.parts[part].weight.rows) row -= l.parts[part++].weight.rows;
    real = part < l.part_count;
  }
  __device__ __forceinline__ void advance(const LinearLaunch& l, const StreamShape& shape, int step) {
    if (kGated) {
      paired = !paired;
      if (paired) return;
    }
    if (++segment < shape.segments) return;
    segment = 0;
    output += step;
    settle(l);
  }
};

__device__ __forceinline__ int columns_of(const StreamShape& shape, int width, int segment) {
  return min(shape.segment_columns, width - segment * shape.segment_columns);
}

template <bool kGated>
__device__ __forceinline__ void request(const LinearLaunch& l, const StreamShape& shape, Ring& ring,
                                        Cursor<kGated>& next, int step) {
  if (next.real) {
    const Matrix& m = kGated && next.paired ? l.parts[next.part].paired : l.parts[next.part].weight;
    const int width = is_plain(m.stored) ? m.stride : m.columns;
    const unsigned char* at = m.quants + static_cast<std::size_t>(next.row) * m.row_bytes +
                              static_cast<std::size_t>(next.segment) * m.segment_bytes;
    ring.fill(at, segment_bytes_of(m.stored, columns_of(shape, width, next.segment)));
    next.advance(l, shape, step);
  } else {
    ring.fill_nothing();
  }
}

template <bool kQuantized, int R, bool kGated>
__global__ void __launch_bounds__(kThreads, R == 1 ? 2 : 1)
    stream_kernel(const __grid_constant__ LinearLaunch l, const __grid_constant__ StreamShape shape) {
  extern __shared__ __align__(128) unsigned char shared[];
  __shared__ float sums_of_warps[33];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, step = gridDim.x * kWarps,
            first = warp * gridDim.x + blockIdx.x;
  unsigned char* rows = shared + shape.shared();
  Ring ring(shared + static_cast<std::size_t>(warp) * shape.slots * shape.slot_bytes, shape.slot_bytes,
            shape.slots, shared + shape.ring_bytes() + warp * kMostSlots * 8);
  Cursor<kGated> next(l, first);
  for (int i = 0; i < shape.slots; ++i) request<kGated>(l, shape, ring, next, step);
  float4 gains[kHeldQuads];
#pragma unroll
  for (int i = 0; i < kHeldQuads; ++i) {
    const int quad = i * kThreads + threadIdx.x;
    gains[i] = l.norm.present && l.norm.weight != nullptr && quad * 4 < l.raw_width
                   ? quad_of(l.norm.weight, quad, l.raw_width)
                   : float4{1.0F, 1.0F, 1.0F, 1.0F};
  }
  wait_for_predecessor();
  Staged<R> x;
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const StagedInput to{
        rows + static_cast<std::size_t>(r) * (shape.row_bytes + shape.meta_bytes),
        rows + static_cast<std::size_t>(r) * (shape.row_bytes + shape.meta_bytes) + shape.row_bytes};
    stage_row<kQuantized>(l, min(r, l.rows - 1), shape.stride, to, gains, sums_of_warps);
    x.data[r] = to.data;
    x.meta[r] = to.meta;
  }
  __syncthreads();
  for (Cursor<kGated> now(l, first); now.real;) {
    const LinearPart& part = l.parts[now.part];
    const std::size_t at = static_cast<std::size_t>(lane) * part.weight.rows + now.row;
    const bool mine = lane < l.rows && lane < R;
    const float added = mine && part.residual != nullptr ? part.residual[at] : 0.0F;
    const float bias = mine && part.bias != nullptr ? part.bias[now.row] : 0.0F;
    float sums[R] = {}, paired[R] = {};
    for (int segment = 0; segment < shape.segments; ++segment) {
      const Stored stored = part.weight.stored;
      const int width = is_plain(stored) ? part.weight.stride : part.weight.columns,
                columns = columns_of(shape, width, segment), from = segment * shape.segment_columns;
      add_segment<kQuantized, R>(stored, ring.take(), columns, from, x, sums);
      ring.release();
      request<kGated>(l, shape, ring, next, step);
      if constexpr (kGated) {
        add_segment<kQuantized, R>(part.paired.stored, ring.take(), columns, from, x, paired);
        ring.release();
        request<kGated>(l, shape, ring, next, step);
      }
    }
    float mine_sum = 0.0F, mine_paired = 0.0F;
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const float sum = warp_sum(sums[r]), pair = kGated ? warp_sum(paired[r]) : 0.0F;
      if (lane == r) {
        mine_sum = sum;
        mine_paired = pair;
      }
    }
    if (mine) {
      float y = apply_activation(part.activation, mine_sum + bias);
      if (kGated) y *= mine_paired + (part.paired_bias != nullptr ? part.paired_bias[now.row] : 0.0F);
      part.out[at] = y + added;
    }
    now.output += step;
    now.settle(l);
  }
}

// Shared memory of a block: more than half of a multiprocessor's, so that no two of a launch meet on one
// (they would leave others idle), but little enough that attention fits beside it.
struct Room {
  std::size_t usual, most;
  int fewest;  // slots
};
Room room_of_device() {
  return overlaps_launches() ? Room{150 << 10, 225 << 10, 2} : Room{100 << 10, 160 << 10, kCopySlots};
}

StreamShape shape_of(const LinearLaunch& l, int rows) {
  StreamShape shape;
  const Matrix& first = l.parts[0].weight;
  const bool plain = is_plain(first.stored);
  shape.stride = plain ? first.stride : (first.columns + 63) / 64 * 64;
  shape.segment_columns = segment_columns_of(first.stored);
  shape.segments =
      ((plain ? first.stride : first.columns) + shape.segment_columns - 1) / shape.segment_columns;
  shape.row_bytes = plain ? shape.stride * 2 : (shape.stride + 127) / 128 * 128;  // whole swaps of chunks
  shape.meta_bytes = (shape.stride / 32 * (plain ? 4 : 8) + 15) / 16 * 16;
  for (int i = 0; i < l.part_count; ++i) {
    const LinearPart& part = l.parts[i];
    shape.outputs += part.weight.rows;
    const int columns = std::min(shape.segment_columns, plain ? part.weight.stride : part.weight.columns);
    for (const Matrix* m : {&part.weight, &part.paired}) {
      if (m->quants != nullptr)
        shape.slot_bytes = std::max(shape.slot_bytes, segment_bytes_of(m->stored, columns));
    }
  }
  shape.slot_bytes = (shape.slot_bytes + 127) / 128 * 128;
  const std::size_t held = static_cast<std::size_t>(rows) * (shape.row_bytes + shape.meta_bytes) +
                           kWarps * kMostSlots * 8 + 512,
                    slot_of_all = static_cast<std::size_t>(kWarps) * shape.slot_bytes;
  const Room room = room_of_device();
  const auto fitting = [&](std::size_t bytes) {
    return static_cast<int>(
        std::min<std::size_t>(bytes > held ? (bytes - held) / slot_of_all : 0, kMostSlots));
  };
  shape.slots = fitting(room.usual);
  if (shape.slots < room.fewest) shape.slots = fitting(room.most);
  if (shape.slots < room.fewest) shape.slots = 0;
  if (!overlaps_launches()) shape.slots = std::min(shape.slots, kCopySlots);
  return shape;
}

template <bool kQuantized, int R, bool kGated>
void run(const LinearLaunch& l, cudaStream_t stream) {
  const StreamShape shape = shape_of(l, R);
  const std::size_t bytes =
      shape.shared() + static_cast<std::size_t>(R) * (shape.row_bytes + shape.meta_bytes);
  cudaFuncSetAttribute(stream_kernel<kQuantized, R, kGated>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                       static_cast<int>(bytes));
  launch(stream_kernel<kQuantized, R, kGated>,
         static_cast<unsigned>(std::min(l.multiprocessors, shape.outputs)), kThreads, bytes, stream, l,
         shape);
}

template <bool kQuantized>
void run_parts(const LinearLaunch& l, cudaStream_t stream) {
  LinearLaunch plain = l, gated = l;
  plain.part_count = gated.part_count = 0;
  for (int i = 0; i < l.part_count; ++i) {
    LinearLaunch& to = l.parts[i].paired.quants != nullptr ? gated : plain;
    to.parts[to.part_count++] = l.parts[i];
  }
  if (plain.part_count > 0)
    l.rows == 1 ? run<kQuantized, 1, false>(plain, stream) : run<kQuantized, 4, false>(plain, stream);
  if (gated.part_count > 0)
    l.rows == 1 ? run<kQuantized, 1, true>(gated, stream) : run<kQuantized, 4, true>(gated, stream);
}

}  // namespace

bool stream_fits(const Matrix& matrix, int rows) {
  if (rows > kStreamRows || matrix.stored == Stored::f32 || matrix.stored == Stored::blocks) return false;
  LinearLaunch l;
  l.part_count = 1;
  l.parts[0].weight = matrix;
  return shape_of(l, rows == 1 ? 1 : kStreamRows).slots > 0;
}

bool stream_norm_fits(const NormArgs& norm, int width) {
  return !norm.layer && norm.bias == nullptr && width <= kHeldQuads * kThreads * 4;
}

void linear_stream(const LinearLaunch& l, cudaStream_t stream) {
  if (is_plain(l.parts[0].weight.stored)) {
    run_parts<false>(l, stream);
  } else {
    run_parts<true>(l, stream);
  }
}

}  // namespace pensieve::hal::cuda
