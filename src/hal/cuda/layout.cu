// Re-layout at load: blocks of 18, 20, 34 and 210 bytes become planes that can be read 16 bytes at a time;
// and the decoding of a whole matrix to bf16 for matrix products of many rows.
#include "hal/cuda/codecs.cuh"

namespace pensieve::hal::cuda {
namespace {

// Copies bytes [from, from + bytes) of each block of `block_bytes` to one plane.
__global__ void copy_part(const unsigned char* blocks, std::size_t count, int block_bytes, int from,
                          int bytes, unsigned char* plane) {
  const std::size_t total = count * static_cast<std::size_t>(bytes / 2);
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < total;
       i += static_cast<std::size_t>(gridDim.x) * blockDim.x) {
    const std::size_t block = i / (bytes / 2), at = i % (bytes / 2);
    reinterpret_cast<unsigned short*>(plane)[i] =
        *reinterpret_cast<const unsigned short*>(blocks + block * block_bytes + from + 2 * at);
  }
}

void copy(const unsigned char* blocks, std::size_t count, int block_bytes, int from, int bytes,
          unsigned char* plane, cudaStream_t stream) {
  const std::size_t wanted = (count * static_cast<std::size_t>(bytes / 2) + 255) / 256;
  copy_part<<<static_cast<unsigned>(wanted < 65536 ? (wanted > 0 ? wanted : 1) : 65536), 256, 0, stream>>>(
      blocks, count, block_bytes, from, bytes, plane);
}

__global__ void decode_rows(Matrix m, std::uint32_t* out, int stride) {
  wait_for_predecessor();
  const int groups = stride / 32,
            held = m.stored == Stored::f16 || m.stored == Stored::bf16 || m.stored == Stored::f32
                       ? m.stride / 32
                       : m.columns / 32;
  const std::size_t total = static_cast<std::size_t>(m.rows) * groups;
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < total;
       i += static_cast<std::size_t>(gridDim.x) * blockDim.x) {
    const int row = static_cast<int>(i / groups), group = static_cast<int>(i % groups);
    float weights[32] = {};
    if (group < held) read32(m, row, group, weights);
    uint4* to = reinterpret_cast<uint4*>(out + (static_cast<std::size_t>(row) * stride + group * 32) / 2);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      to[j] = {pack_bfloat(weights[8 * j], weights[8 * j + 1]),
               pack_bfloat(weights[8 * j + 2], weights[8 * j + 3]),
               pack_bfloat(weights[8 * j + 4], weights[8 * j + 5]),
               pack_bfloat(weights[8 * j + 6], weights[8 * j + 7])};
    }
  }
}

}  // namespace

void split_q8_0(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* scales,
                cudaStream_t stream) {
  copy(blocks, count, 34, 2, 32, quants, stream);
  copy(blocks, count, 34, 0, 2, scales, stream);
}
void split_q4_0(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* scales,
                cudaStream_t stream) {
  copy(blocks, count, 18, 2, 16, quants, stream);
  copy(blocks, count, 18, 0, 2, scales, stream);
}
void split_q4_1(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* scales,
                cudaStream_t stream) {
  copy(blocks, count, 20, 4, 16, quants, stream);
  copy(blocks, count, 20, 0, 4, scales, stream);
}
void split_q6_k(const unsigned char* blocks, std::size_t count, unsigned char* quants, unsigned char* upper,
                unsigned char* fine, unsigned char* scales, cudaStream_t stream) {
  copy(blocks, count, 210, 0, 128, quants, stream);
  copy(blocks, count, 210, 128, 64, upper, stream);
  copy(blocks, count, 210, 192, 16, fine, stream);
  copy(blocks, count, 210, 208, 2, scales, stream);
}

void decode_to_bf16(const Matrix& matrix, void* out, int stride, cudaStream_t stream) {
  const std::size_t groups = static_cast<std::size_t>(matrix.rows) * (stride / 32),
                    wanted = (groups + 127) / 128;
  launch(decode_rows, static_cast<unsigned>(wanted < 8192 ? wanted : 8192), 128, 0, stream, matrix,
         static_cast<std::uint32_t*>(out), stride);
}

}  // namespace pensieve::hal::cuda
