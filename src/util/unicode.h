// UTF-8 as bytes and code points. Not for text layout or locales; character classes come from libutf8proc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pensieve::util {

inline constexpr char32_t kReplacement = 0xFFFD;

struct CodePoint {
  char32_t value;      // kReplacement where the bytes are not UTF-8
  std::uint32_t size;  // bytes consumed, >= 1
  bool valid;
};
// Decodes at text[at]; at < text.size(). Overlong forms, surrogates and values above U+10FFFF are invalid
// (one byte consumed).
CodePoint decode_utf8(std::string_view text, std::size_t at);
void append_utf8(char32_t value, std::string& out);
bool valid_utf8(std::string_view text);
// Length of the longest prefix that ends on a character border: bytes after it may be completed by later
// bytes. Bytes that can never become valid count as complete.
std::size_t complete_utf8(std::string_view text);
// Every invalid sequence becomes U+FFFD.
std::string repair_utf8(std::string_view text);

}  // namespace pensieve::util
