// The tensor types that GGUF files may name, with their block sizes, so that sizes can be checked for all of
// them. Not what Pensieve can compute with: that is core/codec.h. Source: the ggml_type list of ggml
// (ggml.h), ids never reused.
#pragma once

#include <cstdint>
#include <string_view>

namespace pensieve::model {

struct GgmlType {
  std::uint32_t id;
  std::string_view name;         // lower case, as codecs are named
  std::uint32_t block_elements;  // 0: a type that ggml has removed; its size is not defined any more
  std::uint32_t block_bytes;
};

const GgmlType* find_ggml_type(std::uint32_t id);  // null when no version of ggml known here has it

}  // namespace pensieve::model
