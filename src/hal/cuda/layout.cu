// Re-layout at load: blocks of 18, 20, 34 and 210 bytes become planes that can be read 16 bytes at a time;
// and the decoding of a whole matrix to bf16 for matrix products of many rows.
#include "hal/cuda/codecs.cuh"

namespace pensieve::hal::cuda {
namespace {

// A block of the file, and the parts of it that become planes, in their order in a segment.
struct FileBlock {
  int elements, bytes, planes;
  int from[4], size[4];
};
template <Stored S>
__device__ constexpr FileBlock file_block() {
  if (S == Stored::q8_0) return {32, 34, 2, {2, 0}, {32, 2}};
  if (S == Stored::q4_0) return {32, 18, 2, {2, 0}, {16, 2}};
  if (S == Stored::q4_1) return {32, 20, 2, {4, 0}, {16, 4}};
  return {256, 210, 4, {0, 128, 192, 208}, {128, 64, 16, 2}};
}

// A thread moves two bytes at a time.
template <Stored S>
__global__ void split(const unsigned char* blocks, std::size_t rows, Matrix m, unsigned char* to) {
  constexpr FileBlock kBlock = file_block<S>();
  constexpr int kWords = kBlock.bytes / 2, kColumns = segment_columns_of(S);
  const std::size_t row_words = static_cast<std::size_t>(m.columns / kBlock.elements) * kWords;
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < rows * row_words;
       i += static_cast<std::size_t>(gridDim.x) * blockDim.x) {
    const std::size_t row = i / row_words;
    const int word = static_cast<int>(i % row_words), byte = word % kWords * 2,
              column = word / kWords * kBlock.elements;
    const int segment = column / kColumns,
              held = min(kColumns, m.columns - segment * kColumns) / kBlock.elements,
              block = column % kColumns / kBlock.elements;
    unsigned char* at = to + row * m.row_bytes + segment * static_cast<std::size_t>(m.segment_bytes);
#pragma unroll
    for (int plane = 0; plane < kBlock.planes; ++plane) {
      const int within = byte - kBlock.from[plane];
      if (within >= 0 && within < kBlock.size[plane])
        *reinterpret_cast<unsigned short*>(at + block * kBlock.size[plane] + within) =
            reinterpret_cast<const unsigned short*>(blocks)[i];
      at += held * kBlock.size[plane];
    }
  }
}

constexpr int kDecodeWarps = 4;

// A lane decodes a group of 32; the warp turns them in shared memory, so that it writes whole lines.
__global__ void __launch_bounds__(kDecodeWarps * 32) decode_rows(Matrix m, uint4* out, int stride) {
  __shared__ uint4 turned[kDecodeWarps][128];
  wait_for_predecessor();
  const int groups = stride / 32, held = (is_plain(m.stored) ? m.stride : m.columns) / 32,
            lane = threadIdx.x % 32;
  const std::size_t total = static_cast<std::size_t>(m.rows) * groups;
  uint4* mine = turned[threadIdx.x / 32];
  for (std::size_t first = (blockIdx.x * static_cast<std::size_t>(kDecodeWarps) + threadIdx.x / 32) * 32;
       first < total; first += static_cast<std::size_t>(gridDim.x) * kDecodeWarps * 32) {
    const std::size_t i = first + lane;
    float weights[32] = {};
    if (i < total && i % groups < held)
      read32(m, static_cast<int>(i / groups), static_cast<int>(i % groups), weights);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      mine[lane * 4 + (j ^ (lane >> 1 & 3))] = {pack_bfloat(weights[8 * j], weights[8 * j + 1]),
                                                pack_bfloat(weights[8 * j + 2], weights[8 * j + 3]),
                                                pack_bfloat(weights[8 * j + 4], weights[8 * j + 5]),
                                                pack_bfloat(weights[8 * j + 6], weights[8 * j + 7])};
    }
    __syncwarp();
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int at = j * 32 + lane, group = at / 4;
      if (first + group < total) out[first * 4 + at] = mine[group * 4 + (at % 4 ^ (group >> 1 & 3))];
    }
    __syncwarp();
  }
}

}  // namespace

void split_rows(const unsigned char* blocks, std::size_t rows, const Matrix& matrix, std::size_t first_row,
                cudaStream_t stream) {
  unsigned char* to = const_cast<unsigned char*>(matrix.quants) + first_row * matrix.row_bytes;
  switch (matrix.stored) {
    case Stored::q8_0:
      split<Stored::q8_0><<<2048, 256, 0, stream>>>(blocks, rows, matrix, to);
      break;
    case Stored::q4_0:
      split<Stored::q4_0><<<2048, 256, 0, stream>>>(blocks, rows, matrix, to);
      break;
    case Stored::q4_1:
      split<Stored::q4_1><<<2048, 256, 0, stream>>>(blocks, rows, matrix, to);
      break;
    case Stored::q6_k:
      split<Stored::q6_k><<<2048, 256, 0, stream>>>(blocks, rows, matrix, to);
      break;
    default:
      break;  // lie as in the file
  }
}

void decode_to_bf16(const Matrix& matrix, void* out, int stride, cudaStream_t stream) {
  const std::size_t groups = static_cast<std::size_t>(matrix.rows) * (stride / 32),
                    wanted = (groups + 127) / 128;
  launch(decode_rows, static_cast<unsigned>(wanted < 65536 ? wanted : 65536), kDecodeWarps * 32, 0, stream,
         matrix, static_cast<uint4*>(out), stride);
}

}  // namespace pensieve::hal::cuda
