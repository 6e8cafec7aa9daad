// What pre-tokenizers ask of a character: general category, white space, Han. Not for case mapping or
// normalisation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pensieve::model {

// One bit for each class that patterns name; `kLetter` and the like are unions.
using ClassBits = std::uint16_t;
inline constexpr ClassBits kUppercase = 1 << 0;    // Lu
inline constexpr ClassBits kLowercase = 1 << 1;    // Ll
inline constexpr ClassBits kTitlecase = 1 << 2;    // Lt
inline constexpr ClassBits kModifier = 1 << 3;     // Lm
inline constexpr ClassBits kOtherLetter = 1 << 4;  // Lo
inline constexpr ClassBits kMark = 1 << 5;         // M
inline constexpr ClassBits kNumber = 1 << 6;       // N
inline constexpr ClassBits kPunctuation = 1 << 7;  // P
inline constexpr ClassBits kSymbol = 1 << 8;       // S
inline constexpr ClassBits kSpace = 1 << 9;        // White_Space
inline constexpr ClassBits kHan = 1 << 10;         // script Han
inline constexpr ClassBits kLetter = kUppercase | kLowercase | kTitlecase | kModifier | kOtherLetter;

ClassBits classes_of(char32_t value);

// A decoded character with what matching needs, in four bytes: texts are matched as a whole, and a megabyte
// of them should stay near the processor.
class Character {
 public:
  Character(char32_t value, ClassBits classes) : bits_(value << kClassCount | classes) {}
  // A byte that is not UTF-8; it has the classes of U+FFFD and no value that a pattern could name.
  static Character invalid_byte() { return {kInvalid, kSymbol}; }

  char32_t value() const { return bits_ >> kClassCount; }
  ClassBits classes() const { return bits_ & ((1U << kClassCount) - 1); }
  std::size_t bytes() const {  // in the text
    const char32_t at = value();
    return at < 0x80 || at == kInvalid ? 1 : at < 0x800 ? 2 : at < 0x10000 ? 3 : 4;
  }

 private:
  static constexpr int kClassCount = 11;
  static constexpr char32_t kInvalid = 0x110000;
  std::uint32_t bits_;
};
void decode_characters(std::string_view text, std::vector<Character>& out);  // replaces `out`

}  // namespace pensieve::model
