// The weights of a segment on the device, laid out for the kernels: matrices in segments of planes,
// vectors as f32. Not for choosing kernels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hal/cuda/kernels.h"
#include "hal/cuda/runtime.h"

namespace pensieve::hal::cuda {

Stored stored_as(const Codec& codec);
// Elements from row to row of plain formats: whole multiples of 64, so that loads and tiles need no special
// ends.
constexpr int plain_stride(std::int64_t columns) {
  return static_cast<int>((columns + 63) / 64 * 64);
}

// A matrix without its bytes: how it will lie on the device.
Matrix laid_out(const Codec& codec, std::int64_t rows, std::int64_t columns);

class DeviceWeights {
 public:
  // Checks presence, codec, shape and size of each weight that the segment uses, and uploads it; errors name
  // it.
  static Result<DeviceWeights> load(const Segment& segment, std::span<const Weight> weights,
                                    cudaStream_t stream);
  static std::size_t bytes_for(const Segment& segment, std::span<const Weight> weights);

  const Matrix& matrix(std::uint32_t weight) const { return matrices_[weight]; }
  const float* vector(std::uint32_t weight) const { return vectors_[weight]; }
  const std::vector<float>& host_vector(std::uint32_t weight) const { return host_vectors_[weight]; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<Matrix> matrices_;                  // [graph weights]
  std::vector<const float*> vectors_;             // [graph weights]
  std::vector<std::vector<float>> host_vectors_;  // [graph weights]
  std::vector<DeviceMemory> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace pensieve::hal::cuda
