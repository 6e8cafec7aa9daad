// A unit of the trie holds a label, an offset to its children and whether a value is among them.
#include "model/tokenizer/character_map.h"

#include <fmt/format.h>

#include <cstring>

namespace pensieve::model {
namespace {

std::uint32_t read_word(const char* at) {
  std::uint32_t word = 0;
  for (int i = 3; i >= 0; --i) word = word << 8 | static_cast<std::uint8_t>(at[i]);
  return word;
}

std::uint32_t offset_of(std::uint32_t unit) {
  return unit >> 10 << ((unit & 1U << 9) >> 6);
}
bool has_value(std::uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
std::uint32_t label_of(std::uint32_t unit) {
  return unit & (1U << 31 | 0xFF);
}
std::uint32_t value_of(std::uint32_t unit) {
  return unit & ~(1U << 31);
}

}  // namespace

Result<CharacterMap> CharacterMap::read(std::string_view bytes) {
  const std::uint32_t size = bytes.size() < 4 ? 0 : read_word(bytes.data());
  if (bytes.size() < 4 || size > bytes.size() - 4 || size % 4 != 0 || size == 0) {
    return fail(Error::Code::invalid,
                fmt::format("the precompiled character map has {} bytes and claims a trie of {}",
                            bytes.size(), size));
  }
  CharacterMap map;
  for (std::size_t at = 4; at < 4 + size; at += 4) map.units_.push_back(read_word(bytes.data() + at));
  map.replacements_ = bytes.substr(4 + size);
  return map;
}

std::optional<CharacterMap::Match> CharacterMap::longest(std::string_view text) const {
  std::optional<Match> found;
  std::uint32_t at = offset_of(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) break;
    const std::uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_value(unit) || at >= units_.size()) continue;
    const std::uint32_t start = value_of(units_[at]);
    if (start >= replacements_.size()) break;
    found = {i + 1, std::string_view(replacements_.c_str() + start)};
  }
  return found;
}

}  // namespace pensieve::model
