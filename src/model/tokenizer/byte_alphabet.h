// The byte-level alphabet of GPT-2: 256 printable code points that stand for the 256 bytes in vocabulary
// texts. Printable Latin-1 stands for itself; the other 68 bytes, in order, are U+0100 and up (Radford et al.
// 2019, encoder.py). Not a text encoding: only vocabularies and merges are written in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pensieve::model {

char32_t alphabet_letter(std::uint8_t byte);
// The byte a letter stands for; -1 for code points outside the alphabet.
int alphabet_byte(char32_t letter);
// Appends the bytes that `text` spells; false (and `out` as it was) when a code point is outside the
// alphabet.
bool spell_bytes(std::string_view text, std::string& out);

}  // namespace pensieve::model
