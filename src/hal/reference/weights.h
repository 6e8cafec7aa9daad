// The weights of a segment, checked against the graph: matrices stay as stored, vectors and biases are
// decoded once.
#pragma once

#include <span>
#include <vector>

#include "core/backend.h"
#include "hal/reference/ops.h"

namespace pensieve::hal::reference {

class Weights {
 public:
  // Checks presence, codec, shape and size of each weight that the segment uses; errors name it.
  static Result<Weights> load(const Segment& segment, std::span<const Weight> weights);

  const WeightMatrix& matrix(std::uint32_t weight) const { return matrices_[weight].front(); }
  MatrixStack stack(std::uint32_t weight) const { return matrices_[weight]; }
  std::span<const float> vector(std::uint32_t weight) const { return vectors_[weight]; }
  std::size_t bytes_decoded() const;
  static std::size_t bytes_stored(const Segment& segment, std::span<const Weight> weights);

 private:
  std::vector<std::vector<WeightMatrix>> matrices_;  // [graph weights], one or a stack
  std::vector<std::vector<float>> vectors_;          // [graph weights], those that ops read as numbers
};

}  // namespace pensieve::hal::reference
