// GGUF v3 to a stream: the head with metadata and tensor table, then the tensors' bytes in order. Not a
// converter: what is written is what is given.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "core/codec.h"
#include "core/metadata.h"

namespace pensieve::model {

struct TensorToWrite {
  std::string name;
  const Codec* codec = nullptr;
  std::vector<std::int64_t> shape;  // outermost first
  std::uint64_t bytes() const;      // as `codec` stores it
};

// The head, padded to where the first tensor begins. Whole numbers are stored in the narrowest of GGUF's 32
// and 64 bit kinds that fits, reals as 32 bits, as converters do.
std::string gguf_head(const Metadata& metadata, std::span<const TensorToWrite> tensors);

// How many zero bytes follow a tensor of that size.
std::uint64_t gguf_padding(std::uint64_t bytes);

}  // namespace pensieve::model
