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
constexpr int kRegisterThreads = 768;  // leaves registers for attention beside a block

// How the rows of one part lie: slots of `slot_bytes`, the last of `last_bytes`; the gated pair's alike.
struct Source {
  const unsigned char* rows = nullptr;
  const unsigned char* paired = nullptr;
  std::size_t row_bytes = 0;
  int slot_bytes = 0, last_bytes = 0, outputs = 0;
};
struct StreamShape {
  Source sources[kMostParts];
  int outputs = 0, stride = 0;  // stride: columns of the staged input, a multiple of 64
  int row_slots = 0, slot_columns = 0, last_columns = 0;  // of a row; one or two segments a slot
  int slots = 0, slot_bytes = 0;                          // of a ring
  int row_bytes = 0, meta_bytes = 0;                      // of one staged row
  __host__ __device__ std::size_t ring_bytes() const {
    return static_cast<std::size_t>(kWarps) * slots * slot_bytes;
  }
  __host__ __device__ std::size_t shared() const { return ring_bytes() + kWarps * kMostSlots * 8; }
};

struct Place {
  int part, row;
};
__device__ __forceinline__ Place place_of(const StreamShape& shape, int output) {
  Place place{0, output};
  while (place.row >= shape.sources[place.part].outputs) place.row -= shape.sources[place.part++].outputs;
  return place;
}

// What a warp asks for next: slot by slot of its outputs' rows, and the gated pair's in turn.
template <bool kGated>
class Requests {
 public:
  __device__ __forceinline__ Requests(const StreamShape& shape, int first) : output_(first) { settle(shape); }
  __device__ __forceinline__ void one(const StreamShape& shape, Ring& ring, int step) {
    if (output_ >= shape.outputs) return ring.fill_nothing();
    const int bytes = slot_ + 1 == shape.row_slots ? last_bytes_ : slot_bytes_;
    if constexpr (kGated) {
      ring.fill(second_ ? paired_ : at_, bytes);
      second_ = !second_;
      if (second_) return;
      paired_ += slot_bytes_;
    } else {
      ring.fill(at_, bytes);
    }
    at_ += slot_bytes_;
    if (++slot_ < shape.row_slots) return;
    output_ += step;
    settle(shape);
  }

 private:
  __device__ __forceinline__ void settle(const StreamShape& shape) {
    slot_ = 0;
    if (output_ >= shape.outputs) return;
    const Place place = place_of(shape, output_);
    const Source& source = shape.sources[place.part];
    at_ = source.rows + place.row * source.row_bytes;
    if (kGated) paired_ = source.paired + place.row * source.row_bytes;
    slot_bytes_ = source.slot_bytes;
    last_bytes_ = source.last_bytes;
  }
  int output_, slot_ = 0, slot_bytes_ = 0, last_bytes_ = 0;
  bool second_ = false;
  const unsigned char* at_ = nullptr;
  const unsigned char* paired_ = nullptr;
};

// Weights of a slot: whole segments, the last one possibly short.
template <bool kQuantized, int R>
__device__ __forceinline__ void add_slot(Stored stored, std::uint32_t w, int columns, int first,
                                         const Staged<R>& x, float (&sums)[R]) {
  constexpr int kColumns = segment_columns_of(Stored::q8_0);
  if constexpr (kQuantized) {
    if (stored != Stored::q4_k) {
      for (int done = 0; done < columns; done += kColumns) {
        add_segment<true, R>(stored, w, min(kColumns, columns - done), x.template from<true>(first + done),
                             sums);
        w += segment_bytes_of(stored, kColumns);
      }
      return;
    }
  }
  add_segment<kQuantized, R>(stored, w, columns, x.template from<kQuantized>(first), sums);  // has no planes
}

template <bool kQuantized, int R, bool kGated>
__global__ void __launch_bounds__(R == 1 ? kRegisterThreads : kThreads, 1)
    stream_kernel(const __grid_constant__ LinearLaunch l, const __grid_constant__ StreamShape shape) {
  extern __shared__ __align__(128) unsigned char shared[];
  __shared__ float sums_of_warps[33];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, step = gridDim.x * kWarps,
            first = warp * gridDim.x + blockIdx.x;
  unsigned char* rows = shared + shape.shared();
  Ring ring(shared + static_cast<std::size_t>(warp) * shape.slots * shape.slot_bytes, shape.slot_bytes,
            shape.slots, shared + shape.ring_bytes() + warp * kMostSlots * 8);
  Requests<kGated> requests(shape, first);
  for (int i = 0; i < shape.slots; ++i) requests.one(shape, ring, step);
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
    x.data[r] = shared_address(to.data);
    x.meta[r] = shared_address(to.meta);
  }
  __syncthreads();
  for (int output = first; output < shape.outputs; output += step) {
    const Place place = place_of(shape, output);
    const LinearPart& part = l.parts[place.part];
    const Stored stored = part.weight.stored;
    const std::size_t at = static_cast<std::size_t>(lane) * part.weight.rows + place.row;
    const bool mine = lane < l.rows && lane < R;
    const float added = mine && part.residual != nullptr ? part.residual[at] : 0.0F;
    const float bias = mine && part.bias != nullptr ? part.bias[place.row] : 0.0F;
    float sums[R] = {}, paired[R] = {};
    for (int slot = 0; slot < shape.row_slots; ++slot) {
      const int columns = slot + 1 == shape.row_slots ? shape.last_columns : shape.slot_columns,
                from = slot * shape.slot_columns;
      add_slot<kQuantized, R>(stored, ring.take(), columns, from, x, sums);
      ring.release();
      requests.one(shape, ring, step);
      if constexpr (kGated) {
        add_slot<kQuantized, R>(stored, ring.take(), columns, from, x, paired);
        ring.release();
        requests.one(shape, ring, step);
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
      if (kGated) y *= mine_paired + (part.paired_bias != nullptr ? part.paired_bias[place.row] : 0.0F);
      part.out[at] = y + added;
    }
  }
}

// Shared memory of a block: more than half of a multiprocessor's, so that no two of a launch meet on one
// (they would leave others idle), but little enough that attention fits beside it.
struct Room {
  std::size_t usual, most;
  int fewest;  // slots
};
Room room_of_device() {
  int device = 0, largest = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&largest, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (largest >= 226 << 10) return {150 << 10, 225 << 10, 2};
  const std::size_t all = static_cast<std::size_t>(largest > 2048 ? largest - 1024 : 0);
  return {all, all, kCopySlots};
}

// Long rows of narrow formats get two segments a slot when the ring then still has three slots.
StreamShape shape_of(const LinearLaunch& l, int rows) {
  StreamShape shape;
  const Matrix& first = l.parts[0].weight;
  const bool plain = is_plain(first.stored);
  const int width = plain ? first.stride : first.columns, segment = segment_columns_of(first.stored);
  shape.stride = (width + 63) / 64 * 64;
  shape.row_bytes = plain ? shape.stride * 2 : (shape.stride + 127) / 128 * 128;  // whole swaps of chunks
  shape.meta_bytes = (shape.stride / 32 * (plain ? 4 : 8) + 127) / 128 * 128;
  for (int i = 0; i < l.part_count; ++i) {
    const LinearPart& part = l.parts[i];
    shape.outputs += part.weight.rows;
    shape.sources[i] = {part.weight.quants, part.paired.quants, part.weight.row_bytes, 0, 0,
                        part.weight.rows};
  }
  const Room room = room_of_device();
  const std::size_t held =
      static_cast<std::size_t>(rows) * (shape.row_bytes + shape.meta_bytes) + kWarps * kMostSlots * 8 + 512;
  const auto fit = [&](std::size_t shared, int segments) {
    shape.slot_columns = segment * segments;
    shape.row_slots = (width + shape.slot_columns - 1) / shape.slot_columns;
    shape.last_columns = width - (shape.row_slots - 1) * shape.slot_columns;
    shape.slot_bytes = 0;
    for (int i = 0; i < l.part_count; ++i) {
      const Matrix& m = l.parts[i].weight;
      const int last = shape.last_columns / segment, rest = shape.last_columns % segment;
      shape.sources[i].slot_bytes = segments * m.segment_bytes;
      shape.sources[i].last_bytes = last * m.segment_bytes + segment_bytes_of(m.stored, rest);
      shape.slot_bytes = std::max({shape.slot_bytes, shape.sources[i].last_bytes,
                                   shape.row_slots > 1 ? shape.sources[i].slot_bytes : 0});
    }
    shape.slot_bytes = (shape.slot_bytes + 127) / 128 * 128;
    const std::size_t each = static_cast<std::size_t>(kWarps) * shape.slot_bytes;
    shape.slots =
        static_cast<int>(std::min<std::size_t>(shared > held ? (shared - held) / each : 0, kMostSlots));
    if (!overlaps_launches()) shape.slots = std::min(shape.slots, kCopySlots);
  };
  fit(room.usual, !plain && first.stored != Stored::q8_0 ? 2 : 1);
  if (shape.slots < kCopySlots) fit(room.usual, 1);
  if (shape.slots < kCopySlots) fit(room.most, 1);
  if (shape.slots < room.fewest) shape.slots = 0;
  return shape;
}

template <bool kQuantized, int R, bool kGated>
void run(const LinearLaunch& l, cudaStream_t stream) {
  const StreamShape shape = shape_of(l, R);
  const std::size_t bytes =
      shape.shared() + static_cast<std::size_t>(R) * (shape.row_bytes + shape.meta_bytes);
  cudaFuncSetAttribute(stream_kernel<kQuantized, R, kGated>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                       static_cast<int>(bytes));
  launch_as(true, stream_kernel<kQuantized, R, kGated>,
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
