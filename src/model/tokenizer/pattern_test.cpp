// What patterns may say, and that mistakes in them are found. Published patterns are in
// pre_tokenizer_test.cpp.
#include "model/tokenizer/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> split(std::string_view expression, std::string_view text) {
  auto pattern = Pattern::parse(expression);
  EXPECT_TRUE(pattern) << (pattern ? "" : pattern.error().what);
  std::vector<Character> characters;
  decode_characters(text, characters);
  std::vector<std::size_t> starts{0};
  for (const Character& character : characters) starts.push_back(starts.back() + character.bytes());
  std::vector<std::string> pieces;
  std::uint64_t work = 0;
  pattern->split(
      characters,
      [&](std::size_t first, std::size_t last) {
        pieces.emplace_back(text.substr(starts[first], starts[last] - starts[first]));
      },
      work);
  return pieces;
}

TEST(pattern, earlier_alternatives_win_and_gaps_are_pieces) {
  EXPECT_THAT(split("ab|abc|c", "xxabcy"), ElementsAre("xx", "ab", "c", "y"));
}

TEST(pattern, runs_give_back_what_the_rest_needs) {
  EXPECT_THAT(split(R"(\s+(?!\S))", "a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(split(R"([ab]*b{2})", "aabbbxb"), ElementsAre("aabbb", "xb"));
  EXPECT_THAT(split("a{2,3}", "aaaaaa a"), ElementsAre("aaa", "aaa", " a"));
}

TEST(pattern, sets) {
  EXPECT_THAT(split(R"([^\s\p{L}]+)", "a1-b ?"), ElementsAre("a", "1-", "b ", "?"));
  EXPECT_THAT(split(R"([\p{L}&&[^\p{Han}]]+)", "ab中c"), ElementsAre("ab", "中", "c"));
  EXPECT_THAT(split(R"([a\-c]+)", "a-cb"), ElementsAre("a-c", "b"));
  EXPECT_THAT(split(R"([\S]+)", "ab cd"), ElementsAre("ab", " ", "cd"));
}

TEST(pattern, groups) {
  EXPECT_THAT(split("(?i:'s|'ll)", "a'S'Ll's"), ElementsAre("a", "'S", "'Ll", "'s"));
  EXPECT_THAT(split("(?:ab)+c?", "ababcab"), ElementsAre("ababc", "ab"));
}

TEST(pattern, end_of_text) {
  EXPECT_THAT(split(R"(\s+$)", "a  b  "), ElementsAre("a  b", "  "));
}

TEST(pattern, an_empty_match_is_no_match) {
  EXPECT_THAT(split("a*", "bab"), ElementsAre("b", "a", "b"));
}

TEST(pattern, mistakes_are_named) {
  for (const char* wrong : {"", "a|", "(a", "a)", "[a", "[b-a]", R"(\p{Xx})", R"(\p{L)", R"(\w)", "a{2",
                            "a{3,2}", "a{0}", "+a", "a**", "(?!ab)", "(?=a)", "^a", "."}) {
    const auto pattern = Pattern::parse(wrong);
    ASSERT_FALSE(pattern) << wrong;
    EXPECT_EQ(pattern.error().code, Error::Code::internal);
  }
}

}  // namespace
}  // namespace pensieve::model
