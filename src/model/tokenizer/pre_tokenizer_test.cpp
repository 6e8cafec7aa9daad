// Splits written out by hand from the published expressions, and the work they take. Not for merges.
#include "model/tokenizer/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "model/tokenizer/pre_tokenizer_rules.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;

PreTokenizer rules_named(std::string_view name) {
  const PreTokenizerRules* rules = find_rules(name);
  EXPECT_NE(rules, nullptr) << name;
  std::vector<std::string_view> expressions;
  for (const std::string_view expression : rules->expressions) {
    if (!expression.empty()) expressions.push_back(expression);
  }
  auto parsed = PreTokenizer::parse(expressions);
  EXPECT_TRUE(parsed) << name << ": " << (parsed ? "" : parsed.error().what);
  return std::move(*parsed);
}

std::vector<std::string> pieces(std::string_view name, std::string_view text) {
  PreTokenizerScratch scratch;
  std::vector<std::size_t> sizes;
  rules_named(name).split(text, scratch, sizes);
  std::vector<std::string> result;
  for (const std::size_t size : sizes) {
    result.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  EXPECT_EQ(text, "");
  return result;
}

TEST(pre_tokenizer, gpt_2) {
  EXPECT_THAT(
      pieces("gpt-2", "Don't stop  now,\n\n 2024 ok'S\t\tx"),
      ElementsAre("Don", "'t", " stop", " ", " now", ",", "\n\n", " 2024", " ok", "'", "S", "\t", "\t", "x"));
  EXPECT_THAT(pieces("gpt-2", "x  "), ElementsAre("x", "  "));
}

TEST(pre_tokenizer, smollm_takes_numbers_apart) {
  EXPECT_THAT(pieces("smollm", "in 2024 it"), ElementsAre("in", " ", "2", "0", "2", "4", " it"));
}

TEST(pre_tokenizer, llama_3) {
  EXPECT_THAT(
      pieces("llama-bpe", "I'LL pay $12345.67!\r\n\r\n  (ok)"),
      ElementsAre("I", "'LL", " pay", " $", "123", "45", ".", "67", "!\r\n\r\n", " ", " (", "ok", ")"));
  EXPECT_THAT(pieces("llama-bpe", "a \n \n b"), ElementsAre("a", " \n \n", " b"));
}

TEST(pre_tokenizer, qwen2_takes_one_digit_at_a_time) {
  EXPECT_THAT(pieces("qwen2", "v12.\tend"), ElementsAre("v", "1", "2", ".", "\tend"));
}

TEST(pre_tokenizer, marks_belong_to_words_in_some_rules) {
  EXPECT_THAT(pieces("qwen2", "e\u0301a"), ElementsAre("e", "\u0301a"));
  EXPECT_THAT(pieces("qwen35", "e\u0301a"), ElementsAre("e\u0301a"));
}

TEST(pre_tokenizer, deepseek) {
  EXPECT_THAT(pieces("deepseek-coder", "if x:\n\treturn 12"),
              ElementsAre("if", " x", ":", "\n", "\treturn", " ", "1", "2"));
  EXPECT_THAT(pieces("deepseek-llm", "ab 12 \n"), ElementsAre("ab", " ", "12", " ", "\n"));
  EXPECT_THAT(pieces("deepseek-v3", "f(x)=1234 中文字 a.b"),
              ElementsAre("f", "(x", ")=", "123", "4", " ", "中文字", " a", ".b"));
}

TEST(pre_tokenizer, case_decides_in_gpt_4o) {
  EXPECT_THAT(pieces("gpt-4o", "HTTPServer's getURL ÉtÉ/\n"),
              ElementsAre("HTTPServer's", " get", "URL", " Ét", "É", "/\n"));
  EXPECT_THAT(pieces("tekken", "We'll 12"), ElementsAre("We", "'ll", " ", "1", "2"));
}

TEST(pre_tokenizer, digits_by_thousands_count_from_the_right) {
  EXPECT_THAT(pieces("superbpe", "1234567 ab 12 123"),
              ElementsAre("1", "234", "567", " ab ", "12", " ", "123"));
}

TEST(pre_tokenizer, kimi_keeps_ideographs_apart) {
  EXPECT_THAT(pieces("kimi-k2", "中文abc佐々木"), ElementsAre("中文", "abc", "佐々木"));
}

TEST(pre_tokenizer, default_rules_are_those_of_files_without_a_name) {
  ASSERT_EQ(find_rules(""), find_rules("default"));
  EXPECT_THAT(pieces("", "a-b 1234 $5"), ElementsAre("a", "-", "b", " ", "123", "4", " ", "$", "5"));
}

TEST(pre_tokenizer, unknown_names_are_unknown) {
  EXPECT_EQ(find_rules("no-such-rules"), nullptr);
  EXPECT_EQ(find_rules("gpt-2 phi-2"), nullptr);
}

TEST(pre_tokenizer, bytes_that_are_not_text_are_kept) {
  for (const std::string_view name : rule_names()) {
    std::string joined;
    for (const std::string& piece : pieces(name, "a\xFF\xC3 \xE2\x82 9\x80")) {
      EXPECT_FALSE(piece.empty());
      joined += piece;
    }
    EXPECT_EQ(joined, "a\xFF\xC3 \xE2\x82 9\x80") << name;
  }
}

// Twice the text may cost little more than twice the work, whatever is repeated: this is what keeps a hostile
// prompt from stopping a server. Work is counted in characters looked at.
TEST(pre_tokenizer, work_grows_with_the_text) {
  const std::string_view units[] = {"a",  "A",    " ",           "\n",      "\t",   "7",  "!",     "'",
                                    "Aa", "a ",   " a",          "\r\n",    " \n",  "1a", "中",    "\u0301",
                                    "😀",  "\xFF", "<sentinel:1", "IMGIMGA", "a b ", "'s", "\u3000"};
  for (const std::string_view name : rule_names()) {
    const PreTokenizer rules = rules_named(name);
    for (const std::string_view unit : units) {
      for (const std::string_view tail : {"", "x", "?", "\n"}) {
        std::uint64_t work[2];
        for (int i = 0; i < 2; ++i) {
          std::string text;
          for (int n = 0; n < (i == 0 ? 1000 : 2000); ++n) text += unit;
          text += tail;
          PreTokenizerScratch scratch;
          std::vector<std::size_t> sizes;
          rules.split(text, scratch, sizes);
          work[i] = scratch.work;
        }
        EXPECT_LT(static_cast<double>(work[1]), 2.2 * static_cast<double>(work[0]))
            << name << " of " << unit << tail;
      }
    }
  }
}

}  // namespace
}  // namespace pensieve::model
