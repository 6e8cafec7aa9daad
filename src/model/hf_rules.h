// HfRules: how the SafeTensors folders of one architecture differ from what most have in common; data, in the
// architecture's own file. What is common: formats/hf_names.cpp (tensors) and formats/hf_config.cpp
// (settings).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace pensieve::model {

enum class HfChange : std::uint8_t {
  none,
  transposed,     // stored as [in, out]
  fused_heads,    // rows come head by head: q, k, v of the first, of the second, ...
  halves,         // a stack of experts, each gate over up
  after_padding,  // the first rows belong to no position (RoBERTa counts from behind the padding id)
  unused,         // the graph does without it
};

// `from` is a tensor's name below its layer (or below the model), without ".weight" or ".bias".
struct HfTensor {
  std::string_view from, to;
  HfChange change = HfChange::none;
};

struct HfRules {
  std::span<const HfTensor> tensors;
  bool halves = false;         // rotary pairs are halves here, though converters to GGUF make them neighbours
  bool norms_add_one = false;  // norm weights are stored less 1
  bool bidirectional = false;  // rows see those after them too
};

}  // namespace pensieve::model
