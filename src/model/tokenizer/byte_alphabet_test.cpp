// The byte-level alphabet is a bijection with the published letters. Not for vocabularies.
#include "model/tokenizer/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace pensieve::model {
namespace {

TEST(byte_alphabet, every_byte_has_a_letter_of_its_own) {
  std::set<char32_t> letters;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t letter = alphabet_letter(static_cast<std::uint8_t>(byte));
    EXPECT_TRUE(letters.insert(letter).second) << byte;
    EXPECT_EQ(alphabet_byte(letter), byte);
  }
}

TEST(byte_alphabet, has_the_published_letters) {
  EXPECT_EQ(alphabet_letter(' '), U'Ġ');
  EXPECT_EQ(alphabet_letter('\n'), U'Ċ');
  EXPECT_EQ(alphabet_letter('\t'), U'ĉ');
  EXPECT_EQ(alphabet_letter('A'), U'A');
  EXPECT_EQ(alphabet_letter(0x7F), U'ġ');
  EXPECT_EQ(alphabet_letter(0xAD), U'Ń');
  EXPECT_EQ(alphabet_letter(0xFF), U'ÿ');
}

TEST(byte_alphabet, spells_bytes_or_leaves_the_output_alone) {
  std::string out = "kept ";
  EXPECT_TRUE(spell_bytes("ĠaÃ©", out));
  EXPECT_EQ(out, "kept  aé");
  for (const char* outside : {" ", "a\n", "aⓐ", "\u0144", "a\xFF"}) {
    EXPECT_FALSE(spell_bytes(outside, out)) << outside;
    EXPECT_EQ(out, "kept  aé");
  }
}

}  // namespace
}  // namespace pensieve::model
