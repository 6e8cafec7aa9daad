// Tells what a file looks like by its first bytes, so that a refusal can say what was found instead of a
// model. Not a parser of any of these formats.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace pensieve::model {

enum class FileKind : std::uint8_t { gguf, other };

struct Recognised {
  FileKind kind = FileKind::other;
  std::string description;  // of `other`: "a zip archive, as PyTorch writes it", and what to do instead
};
Recognised recognise(std::span<const std::byte> bytes);

}  // namespace pensieve::model
