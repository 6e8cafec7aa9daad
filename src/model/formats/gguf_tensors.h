// The tensor table of a GGUF file: names, shapes, types and where the bytes lie. Source: ggml's docs/gguf.md.
// Not for what tensors mean; the loader compares them with the graph's weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/model_file.h"
#include "model/formats/byte_reader.h"
#include "model/formats/findings.h"

namespace pensieve::model {

inline constexpr std::uint64_t kMostTensors = 1 << 16;
inline constexpr std::size_t kLongestTensorName = 63;  // ggml's limit
inline constexpr std::uint32_t kMostDimensions = 4;    // ggml's limit

// Reads `count` entries at the reader, then checks each against the data that follows in `file`.
// Tensors must lie one after the other, each padded to `alignment`, without holes: what ggml demands, and
// what leaves no room for overlaps. A tensor with a problem is listed without bytes.
std::vector<TensorInfo> read_gguf_tensors(ByteReader& reader, std::uint64_t count, std::uint64_t alignment,
                                          std::span<const std::byte> file, Findings& findings);

}  // namespace pensieve::model
