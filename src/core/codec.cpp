// Looking codecs up and whole rows; the formats themselves are in core/codecs.
#include "core/codec.h"

#include <array>
#include <cstring>

namespace pensieve {
namespace {

constexpr std::size_t kStep = 8;  // elements that decode8 gives at once

template <class Matches>
const Codec* find_if(Matches matches) {
  for (const Codec* codec : codecs()) {
    if (matches(*codec)) return codec;
  }
  return nullptr;
}

}  // namespace

const Codec* find_codec(std::string_view name) {
  return find_if([&](const Codec& codec) { return codec.name == name; });
}

const Codec* find_codec(std::uint32_t ggml_type) {
  return find_if([&](const Codec& codec) { return codec.ggml_type == ggml_type; });
}

void decode_row(const Codec& codec, const unsigned char* row, std::size_t elements, float* out) {
  if (codec.block_elements > 1) {
    for (std::size_t at = 0; at < elements; at += codec.block_elements, row += codec.block_bytes) {
      for (std::size_t first = 0; first < codec.block_elements; first += kStep) {
        codec.decode8(row, static_cast<int>(first), out + at + first);
      }
    }
    return;
  }
  const std::size_t whole = elements / kStep * kStep;
  for (std::size_t at = 0; at < whole; at += kStep) codec.decode8(row + at * codec.block_bytes, 0, out + at);
  if (whole == elements) return;
  std::array<unsigned char, kStep * sizeof(float)> bytes{};  // no one-element codec is wider than a float
  std::array<float, kStep> values;
  std::memcpy(bytes.data(), row + whole * codec.block_bytes, (elements - whole) * codec.block_bytes);
  codec.decode8(bytes.data(), 0, values.data());
  std::memcpy(out + whole, values.data(), (elements - whole) * sizeof(float));
}

void encode_row(const Codec& codec, const float* in, std::size_t elements, unsigned char* row) {
  const std::size_t step = codec.block_elements > 1 ? codec.block_elements : kStep;
  const std::size_t step_bytes = codec.row_bytes(step);
  const std::size_t whole = elements / step * step;
  for (std::size_t at = 0; at < whole; at += step, row += step_bytes) codec.encode(in + at, row);
  if (whole == elements) return;
  std::array<unsigned char, kStep * sizeof(float)> bytes;
  std::array<float, kStep> values{};
  std::memcpy(values.data(), in + whole, (elements - whole) * sizeof(float));
  codec.encode(values.data(), bytes.data());
  std::memcpy(row, bytes.data(), (elements - whole) * codec.block_bytes);
}

}  // namespace pensieve
