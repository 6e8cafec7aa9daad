// Mamba2Mixer: the mixing half of a Mamba-2 layer, which more than one family has. Not an architecture:
// model/arch/mamba2.cpp and falcon_h1.cpp are. Source: arXiv 2405.21060.
#pragma once

#include <array>
#include <cstdint>

#include "model/graph_builder.h"

namespace pensieve::model {

struct Mamba2Mixer {
  std::int64_t inner = 0, heads = 0, groups = 0, state_width = 0, taps = 0;
  float step_low = 0.0F, step_high = 3.4e38F;
  bool norm_before_gate = false;
  // Of z, x, B, C and dt, where the file has not got them in its weights (SafeTensors folders of Falcon-H1).
  std::array<float, 5> scales{1.0F, 1.0F, 1.0F, 1.0F, 1.0F};

  // Faults are left in `from`.
  static Mamba2Mixer read(HyperParameters& from);
  Value build(GraphBuilder& g, const Layer& l, Value x) const;  // [rows, width] -> [rows, width]
};

}  // namespace pensieve::model
