// Classes from libutf8proc's category table; ASCII from a table made at compile time. Not for layout.
#include "model/tokenizer/character_class.h"

#include <utf8proc.h>

#include <array>

#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr bool between(char32_t value, char32_t first, char32_t last) {
  return value >= first && value <= last;
}

// White_Space of the Unicode Character Database (PropList.txt), which \s means in every reference tokenizer.
constexpr bool is_space(char32_t value) {
  return between(value, 0x09, 0x0D) || value == 0x20 || value == 0x85 || value == 0xA0 || value == 0x1680 ||
         between(value, 0x2000, 0x200A) || value == 0x2028 || value == 0x2029 || value == 0x202F ||
         value == 0x205F || value == 0x3000;
}

// Script Han (Scripts.txt), written out because libutf8proc has no scripts.
constexpr bool is_han(char32_t value) {
  return between(value, 0x2E80, 0x2E99) || between(value, 0x2E9B, 0x2EF3) || between(value, 0x2F00, 0x2FD5) ||
         value == 0x3005 || value == 0x3007 || between(value, 0x3021, 0x3029) ||
         between(value, 0x3038, 0x303B) || between(value, 0x3400, 0x4DBF) || between(value, 0x4E00, 0x9FFF) ||
         between(value, 0xF900, 0xFA6D) || between(value, 0xFA70, 0xFAD9) ||
         between(value, 0x16FE2, 0x16FE3) || between(value, 0x16FF0, 0x16FF1) ||
         between(value, 0x20000, 0x2EE5D) || between(value, 0x2F800, 0x2FA1D) ||
         between(value, 0x30000, 0x323AF);
}

constexpr ClassBits ascii_class(char32_t value) {
  if (between(value, 'A', 'Z')) return kUppercase;
  if (between(value, 'a', 'z')) return kLowercase;
  if (between(value, '0', '9')) return kNumber;
  if (is_space(value)) return kSpace;
  if (value < 0x20 || value == 0x7F) return 0;
  constexpr std::string_view kSymbols = "$+<=>^`|~";
  return kSymbols.find(static_cast<char>(value)) != std::string_view::npos ? kSymbol : kPunctuation;
}

constexpr auto kAscii = [] {
  std::array<ClassBits, 128> table{};
  for (char32_t value = 0; value < 128; ++value) table[value] = ascii_class(value);
  return table;
}();

ClassBits category_class(char32_t value) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(value))) {
    case UTF8PROC_CATEGORY_LU:
      return kUppercase;
    case UTF8PROC_CATEGORY_LL:
      return kLowercase;
    case UTF8PROC_CATEGORY_LT:
      return kTitlecase;
    case UTF8PROC_CATEGORY_LM:
      return kModifier;
    case UTF8PROC_CATEGORY_LO:
      return kOtherLetter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kMark;
    case UTF8PROC_CATEGORY_ND:
      return kNumber;
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return kPunctuation;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
      return kSymbol;
    default:
      return 0;
  }
}

}  // namespace

ClassBits classes_of(char32_t value) {
  if (value < 128) return kAscii[value];
  ClassBits classes = category_class(value);
  if (is_space(value)) classes |= kSpace;
  if (is_han(value)) classes |= kHan;
  return classes;
}

void decode_characters(std::string_view text, std::vector<Character>& out) {
  out.clear();
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<std::uint8_t>(text[at]);
    if (first < 128) {
      out.emplace_back(first, kAscii[first]);
      ++at;
      continue;
    }
    const util::CodePoint point = util::decode_utf8(text, at);
    out.push_back(point.valid ? Character(point.value, classes_of(point.value)) : Character::invalid_byte());
    at += point.size;
  }
}

}  // namespace pensieve::model
