// Activations: f32 arrays for the values of a segment, shared by values that are never alive at the same
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/backend.h"

namespace pensieve::hal::reference {

class Activations {
 public:
  // Fails when a node reads a value that is neither computed before it in the segment nor one of its inputs.
  static Result<Activations> plan(const Segment& segment);

  // Before each step: makes room. Throws std::bad_alloc.
  void resize(std::size_t batch_rows, std::size_t output_rows);
  bool holds(std::uint32_t value) const { return slot_of_[value] >= 0; }
  float* data(std::uint32_t value) { return slots_[static_cast<std::size_t>(slot_of_[value])].data(); }
  std::size_t bytes_held() const;
  std::size_t bytes_for(std::size_t batch_rows, std::size_t output_rows) const;

 private:
  struct Width {
    std::size_t batch = 0, output = 0;  // widest value of either kind of rows
  };
  void assign(const Graph& graph, std::uint32_t value, std::vector<std::size_t>& free);
  std::vector<std::int32_t> slot_of_;  // [graph values], -1: not in this segment
  std::vector<Width> widths_;          // [slots]
  std::vector<std::vector<float>> slots_;
};

}  // namespace pensieve::hal::reference
