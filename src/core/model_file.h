// ModelFile: an opened, validated model file: metadata and named tensors as byte ranges of a mapping.
// The seam between file formats (model/formats) and the loader. Not a model: nothing is decoded or copied
// here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/codec.h"
#include "core/metadata.h"
#include "core/result.h"

namespace pensieve {

struct TensorInfo {
  std::string name;              // GGUF naming, e.g. "blk.0.attn_q.weight"
  const Codec* codec = nullptr;  // null: a type this build does not know (type_name tells which)
  std::string type_name;
  std::vector<std::int64_t> shape;   // outermost first: a matrix is [rows, columns], columns contiguous
  std::span<const std::byte> bytes;  // within the mapping, checked; empty when the tensor comes in parts
  std::vector<std::span<const std::byte>> parts;  // one for each entry of the outermost dimension
};

// What the validation found, for `show` and for error messages; a file with problems is never loaded.
struct FileReport {
  std::string format;  // "gguf"
  std::uint32_t version = 0;
  std::vector<std::string> problems;  // each names what, where and with which value; empty = loadable
  std::vector<std::string> warnings;
};

// Thread rule: immutable after open (and materialise); any thread may read. The bytes live as long as the
// object.
class ModelFile {
 public:
  virtual ~ModelFile() = default;
  virtual const FileReport& report() const = 0;
  virtual const Metadata& metadata() const = 0;
  virtual std::span<const TensorInfo> tensors() const = 0;
  virtual const TensorInfo* find(std::string_view tensor) const = 0;  // null when absent
  virtual std::uint64_t file_bytes() const = 0;
  // Makes the bytes of matrices that do not stand in the file as they are wanted (unpacked, quantized while
  // loading). Until then they take no memory and read as zeros; so it is known before whether a model fits.
  virtual Result<> materialise(int /*threads*/) { return {}; }
};

}  // namespace pensieve
