// One SafeTensors file: a JSON table of named tensors before their bytes. Source: the format's specification
// and the rules of its reference reader; stricter than that in what is no valid JSON to everyone (duplicate
// keys, text before the first brace), in sizes beyond 2^63 - 1 and more than 32 dimensions. Not a model:
// names and shapes are given as they stand (hf_folder.h makes a model of a folder).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace pensieve::model {

struct SafeTensor {
  std::string name;
  std::string type;  // "BF16"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // within what was parsed
};

// In the order of their bytes. Everything is checked: an error says what is wrong with which tensor.
Result<std::vector<SafeTensor>> parse_safetensors(std::span<const std::byte> file);

}  // namespace pensieve::model
