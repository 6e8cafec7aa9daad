// DeltaMixer: the mixing half of a layer with a gated delta rule, which Qwen 3 Next and Qwen 3.5 share, and
// their gated attention. Not an architecture: model/arch/qwen3next.cpp and qwen35.cpp are. Source: arXiv
// 2412.06464.
#pragma once

#include <cstdint>

#include "model/graph_builder.h"

namespace pensieve::model {

struct DeltaMixer {
  std::int64_t key_heads = 0, value_heads = 0, key_width = 0, value_width = 0, taps = 0;
  bool tiled = false;  // value heads lie tile by tile: one of each key head, then the next of each

  // Faults are left in `from`.
  static DeltaMixer read(HyperParameters& from);
  Value build(GraphBuilder& g, const Layer& l, Value x) const;  // [rows, width] -> [rows, width]

 private:
  struct Inputs {
    Value q, k, v, z, a, b;
  };
  Inputs project(GraphBuilder& g, const Layer& l, Value x) const;
};

// Each query head is followed by as many columns that gate its result.
Value gated_attention(GraphBuilder& g, const Layer& l, Value x, const TransformerConfig& config);

// Which layers attend; the others' key heads become 0.
void set_recurrent_layers(HyperParameters& from, TransformerConfig& config);

}  // namespace pensieve::model
