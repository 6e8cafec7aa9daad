// WeightStore: a plan's weights in the form its kernels read: matrices packed, vectors as f32, the rest in
// the file's layout.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/backend.h"
#include "hal/cpu/pack.h"
#include "hal/cpu/region.h"
#include "util/thread_pool.h"

namespace pensieve::hal::cpu {

// One matrix, or one of a stack of them (blocks of a linear, experts): those share codec and shape.
struct Matrix {
  const Codec* codec = nullptr;
  int outputs = 0, inputs = 0;
  const std::uint8_t* source = nullptr;  // the file's layout; not to be read often once packed
  const std::uint8_t* packed =
      nullptr;        // null: kernels cannot read the codec, or the matrix is only looked up by row
  PackedShape shape;  // when packed, or when it is decoded to f32 group by group
  bool quantized_panel = false;  // its kernel reads QuantLine

  void read_row(int row, float* out) const;  // packed or not
};

// How a segment uses its weights.
struct WeightUse {
  std::vector<bool> matrix, looked_up, vector;  // [graph weights]
  explicit WeightUse(const Segment& segment);
};

// Thread rule: built alone, then read by any thread.
class WeightStore {
 public:
  static Result<WeightStore> open(const Segment& segment, std::span<const Weight> weights,
                                  const Kernels& kernels, util::ThreadPool& pool);
  // Without data: shapes only, for plans that never run.
  static WeightStore shapes(const Segment& segment, std::span<const Weight> weights, const Kernels& kernels);
  static std::size_t estimate(const Segment& segment, std::span<const Weight> weights,
                              const Kernels& kernels);

  const Matrix& matrix(std::uint32_t weight, std::size_t index = 0) const { return matrices_[weight][index]; }
  std::size_t stacked(std::uint32_t weight) const { return matrices_[weight].size(); }
  const float* vector(std::int32_t weight) const {  // null for -1
    return weight < 0 ? nullptr : vectors_[static_cast<std::size_t>(weight)].data();
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<std::vector<Matrix>> matrices_;  // [graph weights][1, or as many as are stacked]
  std::vector<std::vector<float>> vectors_;    // [graph weights]
  Region packed_;
  std::size_t bytes_ = 0;  // held by this plan, or used in the file's layout
};

}  // namespace pensieve::hal::cpu
