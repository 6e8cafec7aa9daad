// The key-value table of a GGUF file. Source: ggml's docs/gguf.md, versions 2 and 3 (the same layout).
// Not for what the keys mean: transformer_config.h and the tokenizer read those.
#pragma once

#include <cstdint>

#include "core/metadata.h"
#include "core/result.h"
#include "model/formats/byte_reader.h"
#include "model/formats/findings.h"

namespace pensieve::model {

struct GgufMetadata {
  Metadata values;
  std::uint64_t alignment = 32;  // of tensor data, in bytes; a power of two
};

// Limits beyond which no known model goes. With them the memory taken is at most four times the bytes read
// plus 64 MiB.
inline constexpr std::uint64_t kMostKeys = 1 << 16;
inline constexpr std::uint64_t kMostArrayElements = 1 << 23;  // in all arrays of a file together

// Reads `count` entries at the reader. An error means that the table cannot be followed to its end;
// what is wrong with single keys goes to the findings (of duplicates the first is kept).
Result<GgufMetadata> read_gguf_metadata(ByteReader& reader, std::uint64_t count, Findings& findings);

}  // namespace pensieve::model
