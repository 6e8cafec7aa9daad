// RopeTable: cosines and sines of a step's rows for one kind of rotary embedding, shared by all layers that
// use it.
#pragma once

#include <span>
#include <vector>

#include "core/ops/rope.h"

namespace pensieve::hal::cpu {

// A row of the table is rotary_width wide. interleaved: each angle twice, the first sine negated; halves: the
// first half holds the angles, the rest is unused. Angles are computed in double precision.
class RopeTable {
 public:
  RopeTable(const RopeParams& params, const float* factors);
  const RopeParams& params() const { return params_; }
  void fill(int position, float* cosines, float* sines) const;

 private:
  RopeParams params_;
  std::vector<double> angles_;  // of each pair, for one step of position
  double magnitude_;
};

}  // namespace pensieve::hal::cpu
