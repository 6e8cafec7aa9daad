// Names of tensors in SafeTensors folders as GGUF has them. Not for their bytes: hf_tensors.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/hf_rules.h"

namespace pensieve::model {

struct HfName {
  std::string name;  // "blk.0.ffn_gate_exps.weight"
  HfChange change = HfChange::none;
  std::optional<std::int64_t> expert;  // the tensor is this expert's part
};

// Nothing: the name means nothing here.
std::optional<HfName> gguf_name_of(std::string_view hf, const HfRules& rules);

}  // namespace pensieve::model
