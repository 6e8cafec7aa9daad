// GGUF files, versions 2 and 3, little-endian. Source: ggml's docs/gguf.md; verdicts on malformed files as
// ggml gives them. Not a loader: it tells what a file holds, checked, and trusts no byte of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model_file.h"
#include "util/mapped_file.h"

namespace pensieve::model {

// One of the files that a large model is cut into (split.no, split.count, split.tensors.count).
struct GgufSplit {
  std::int64_t number = 0, count = 1;  // from 0
  std::int64_t tensors = -1;           // of all parts together; -1: not said
};

struct GgufContent {
  FileReport report;
  GgufSplit split;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // bytes point into what was parsed
};

inline constexpr std::string_view kGgufMagic = "GGUF";

// An error: not a GGUF file that can be read this far as its metadata. Problems beyond that stand in the
// report; one part of several is a problem unless parts are asked for.
Result<GgufContent> parse_gguf(std::span<const std::byte> bytes, bool part = false);

// Takes over the mapping of `path`. One part of a split model stands for all of them (gguf_split.h).
Result<std::unique_ptr<ModelFile>> open_gguf(util::MappedFile file, const std::string& path);

}  // namespace pensieve::model
