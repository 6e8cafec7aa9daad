// U+2581, the letter that stands for a space in SentencePiece and WordPiece vocabularies.
#pragma once

#include <string>
#include <string_view>

namespace pensieve::model {

inline constexpr char32_t kSpaceLetter = 0x2581;
inline constexpr std::string_view kSpaceLetterText = "\xE2\x96\x81";

// Every U+2581 becomes a space.
inline std::string with_spaces(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(kSpaceLetterText)) {
      out.push_back(' ');
      at += kSpaceLetterText.size();
    } else {
      out.push_back(text[at++]);
    }
  }
  return out;
}

}  // namespace pensieve::model
