// GGUF files, versions 2 and 3, little-endian. Source: ggml's docs/gguf.md; verdicts on malformed files as
// ggml gives them. Not a loader: it tells what a file holds, checked, and trusts no byte of it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/model_file.h"
#include "util/mapped_file.h"

namespace pensieve::model {

struct GgufContent {
  FileReport report;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // bytes point into what was parsed
};

inline constexpr std::string_view kGgufMagic = "GGUF";

// An error: not a GGUF file that can be read this far as its metadata. Problems beyond that stand in the
// report.
Result<GgufContent> parse_gguf(std::span<const std::byte> bytes);

// Takes over the mapping.
Result<std::unique_ptr<ModelFile>> open_gguf(util::MappedFile file);

}  // namespace pensieve::model
