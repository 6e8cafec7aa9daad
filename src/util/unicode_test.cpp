// UTF-8: every code point, every two-byte start of a sequence, and cuts inside characters. Not for character
// classes.
#include "util/unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pensieve::util {
namespace {

bool is_scalar(char32_t value) {
  return value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

TEST(unicode, every_code_point_survives_encoding_and_decoding) {
  for (char32_t value = 0; value <= 0x10FFFF; ++value) {
    if (!is_scalar(value)) continue;
    std::string text;
    append_utf8(value, text);
    const CodePoint point = decode_utf8(text, 0);
    ASSERT_TRUE(point.valid && point.value == value && point.size == text.size()) << std::hex << +value;
  }
}

TEST(unicode, values_that_are_no_characters_become_the_replacement_character) {
  for (const char32_t value :
       {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    std::string text;
    append_utf8(value, text);
    EXPECT_EQ(text, "\xEF\xBF\xBD");
  }
}

TEST(unicode, malformed_bytes_are_taken_one_at_a_time) {
  const std::vector<std::string> malformed = {"\x80",
                                              "\xBF",
                                              "\xC0\x80",
                                              "\xC1\xBF",
                                              "\xC3",
                                              "\xC3(",
                                              "\xE0\x9F\xBF",
                                              "\xE2\x82",
                                              "\xED\xA0\x80",
                                              "\xED\xBF\xBF",
                                              "\xF0\x8F\xBF\xBF",
                                              "\xF0\x9F\x98",
                                              "\xF4\x90\x80\x80",
                                              "\xF5\x80\x80\x80",
                                              "\xFE",
                                              "\xFF"};
  for (const std::string& text : malformed) {
    const CodePoint point = decode_utf8(text, 0);
    EXPECT_FALSE(point.valid) << ::testing::PrintToString(text);
    EXPECT_EQ(point.value, kReplacement);
    EXPECT_EQ(point.size, 1U);
    EXPECT_FALSE(valid_utf8(text)) << ::testing::PrintToString(text);
  }
}

TEST(unicode, valid_text_is_valid_and_unchanged_by_repair) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF";
  EXPECT_TRUE(valid_utf8(text));
  EXPECT_EQ(repair_utf8(text), text);
  EXPECT_TRUE(valid_utf8(""));
}

// The Unicode Standard, chapter 3, "U+FFFD substitution of maximal subparts", table 3-8 and the like.
TEST(unicode, repair_replaces_maximal_subparts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(repair_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(repair_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(repair_utf8("\xED\xA0\x80"), r + r + r);
}

TEST(unicode, complete_prefix_stops_before_an_unfinished_character) {
  const std::string text = "x\xC3\xA9y\xE2\x82\xAC\xF0\x9F\x98\x80";
  const std::size_t borders[] = {0, 1, 1, 3, 4, 4, 4, 7, 7, 7, 7, 11};
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_EQ(complete_utf8(std::string_view(text).substr(0, size)), borders[size]) << size;
  }
}

TEST(unicode, bytes_that_can_never_be_completed_count_as_complete) {
  for (const std::string text :
       {"\x80", "\xFF", "\xC0", "\xE0\x80", "\xED\xA0", "\xF4\x90", "a\x80\x80\x80", "\xC3\xC3\x41"}) {
    EXPECT_EQ(complete_utf8(text), text.size()) << ::testing::PrintToString(text);
  }
  EXPECT_EQ(complete_utf8("\xC3\xC3"), 1U);
}

// What a streaming client relies on: pieces cut at complete_utf8 and repaired are the repaired whole.
TEST(unicode, repaired_pieces_join_to_the_repaired_whole) {
  const std::string text = "a\xF0\x9F\x98\x80\xF0\x9F\x98\xE2\x82\xAC\xFF\xC3\xA9\xE2\x82";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    std::string out;
    std::string pending;
    for (const std::string_view part :
         {std::string_view(text).substr(0, cut), std::string_view(text).substr(cut)}) {
      pending += part;
      const std::size_t complete = complete_utf8(pending);
      out += repair_utf8(std::string_view(pending).substr(0, complete));
      pending.erase(0, complete);
    }
    EXPECT_EQ(out + repair_utf8(pending), repair_utf8(text)) << cut;
  }
}

}  // namespace
}  // namespace pensieve::util
