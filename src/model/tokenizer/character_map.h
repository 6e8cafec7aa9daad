// CharacterMap: the normalisation that a SentencePiece vocabulary carries with it (`precompiled_charsmap`):
// the longest of its sources at each place becomes its replacement. Not Unicode normal forms (normal_form.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace pensieve::model {

// Thread rule: immutable; any thread may look up. Format: SentencePiece's normalizer: four bytes
// (little-endian) of size, a double-array trie of that many bytes, then the replacements, each with a NUL
// behind it.
class CharacterMap {
 public:
  // `invalid` when sizes do not fit. Offsets inside are checked at each step of a look-up.
  static Result<CharacterMap> read(std::string_view bytes);

  struct Match {
    std::size_t size;  // bytes of the source
    std::string_view replacement;
  };
  std::optional<Match> longest(std::string_view text) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace pensieve::model
