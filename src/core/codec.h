// Codec: how weights or cached keys and values are stored, one per file core/codecs/*.codec.h.
// Not a kernel: fast paths for a codec live in each backend and are judged against decode8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pensieve {

struct Codec {
  std::string_view name;         // lower case, as in file names: "q4_1"
  std::uint32_t ggml_type;       // type id in GGUF files
  std::uint32_t block_elements;  // weights in a block; a row is a whole number of blocks
  std::uint32_t block_bytes;
  // Decodes eight neighbouring weights of one block; first is a multiple of 8, below block_elements rounded
  // up to 8. Codecs with one element a block (f32, f16, bf16) have block_elements 1: decode8 then reads eight
  // blocks.
  void (*decode8)(const unsigned char* block, int first, float* out);
  // Encodes block_elements weights (8 for one-element blocks); null where Pensieve only reads the format.
  void (*encode)(const float* in, unsigned char* block);
  std::string_view device_source;  // the same file's text, for runtime-compiled devices

  // Bytes of a row of `elements` weights; elements must be a multiple of block_elements.
  constexpr std::size_t row_bytes(std::size_t elements) const {
    return elements / block_elements * block_bytes;
  }
};

// All codecs, from the folder core/codecs (generated table), in order of name.
std::span<const Codec* const> codecs();
const Codec* find_codec(std::string_view name);    // null when unknown
const Codec* find_codec(std::uint32_t ggml_type);  // null when unknown

// Decodes a whole row; out has `elements` floats, elements a multiple of block_elements (and of 8 for
// one-element blocks or any number: the tail is handled).
void decode_row(const Codec& codec, const unsigned char* row, std::size_t elements, float* out);
// Encodes a whole row of `elements` values, with the same rule for `elements`; codec.encode must not be null.
void encode_row(const Codec& codec, const float* in, std::size_t elements, unsigned char* row);

}  // namespace pensieve
