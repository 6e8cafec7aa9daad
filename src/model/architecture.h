// Architecture: how one family of models becomes a graph; one file model/arch/NAME.cpp each (generated
// table).
#pragma once

#include <span>
#include <string_view>

#include "core/graph.h"
#include "core/metadata.h"
#include "core/result.h"
#include "model/hf_rules.h"

namespace pensieve::model {

// Which tensors the file has: an architecture asks it about optional weights (biases, a tied output head).
class TensorNames {
 public:
  virtual ~TensorNames() = default;
  virtual bool contains(std::string_view name) const = 0;
  virtual std::int64_t elements(std::string_view name) const = 0;  // 0: no such tensor
};

// What an architecture builds from. `context`: tokens that one sequence shall reach; 0: as trained.
struct ModelFacts {
  const Metadata& metadata;
  const TensorNames& tensors;
  std::int64_t context = 0;
};

struct Architecture {
  std::string_view gguf_name;                  // general.architecture
  std::span<const std::string_view> hf_names;  // `architectures` in config.json
  Result<Graph> (*build)(const ModelFacts& facts);
  HfRules hf = {};  // how SafeTensors folders name and store things
};

std::span<const Architecture* const> architectures();
const Architecture* find_architecture(std::string_view gguf_name);  // null when unknown

}  // namespace pensieve::model
