// The alphabet as two small rules instead of tables. Not for user text.
#include "model/tokenizer/byte_alphabet.h"

#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr bool stands_for_itself(char32_t value) {
  return (value >= 0x21 && value <= 0x7E) || (value >= 0xA1 && value <= 0xAC) ||
         (value >= 0xAE && value <= 0xFF);
}

}  // namespace

// The bytes without a printable Latin-1 letter are 00..20, 7F..A0 and AD: 33 + 34 + 1 of them.
char32_t alphabet_letter(std::uint8_t byte) {
  if (stands_for_itself(byte)) return byte;
  if (byte <= 0x20) return 0x100 + byte;
  if (byte <= 0xA0) return 0x100 + 33 + (byte - 0x7F);
  return 0x100 + 33 + 34;
}

int alphabet_byte(char32_t letter) {
  if (stands_for_itself(letter)) return static_cast<int>(letter);
  if (letter < 0x100 || letter > 0x143) return -1;
  const int index = static_cast<int>(letter) - 0x100;
  if (index < 33) return index;
  if (index < 67) return 0x7F + (index - 33);
  return 0xAD;
}

bool spell_bytes(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const util::CodePoint letter = util::decode_utf8(text, at);
    const int byte = letter.valid ? alphabet_byte(letter.value) : -1;
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(static_cast<std::uint8_t>(byte)));
    at += letter.size;
  }
  return true;
}

}  // namespace pensieve::model
