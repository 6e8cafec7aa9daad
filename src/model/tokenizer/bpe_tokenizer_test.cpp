// Byte-level BPE as its users see it: ids, bytes, texts. Refusals of hostile files are in
// tokenizer_factory_test.cpp.
#include "model/tokenizer/bpe_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "model/tokenizer/testing_vocabulary.h"
#include "model/tokenizer/tokenizer_factory.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using testing::TestingVocabulary;

std::unique_ptr<Tokenizer> made(const Metadata& metadata) {
  auto tokenizer = make_tokenizer(metadata);
  EXPECT_TRUE(tokenizer) << (tokenizer ? "" : tokenizer.error().what);
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

std::vector<std::int32_t> encode(const Tokenizer& tokenizer, std::string_view text,
                                 EncodeOptions options = {}) {
  std::vector<std::int32_t> tokens;
  tokenizer.encode(text, options, tokens);
  return tokens;
}

TEST(bpe_tokenizer, merges_by_rank_within_pieces) {
  TestingVocabulary vocabulary;
  const auto lo = vocabulary.merge("l", "o");
  const auto low = vocabulary.merge("lo", "w");
  const auto er = vocabulary.merge("e", "r");
  const auto space_low = vocabulary.merge(" ", "low");
  const auto tokenizer = made(vocabulary.metadata());
  EXPECT_THAT(encode(*tokenizer, "lower low lo"), ElementsAre(low, er, space_low, ' ', lo));
  EXPECT_EQ(tokenizer->decode({low, er, space_low}, true), "lower low");
  EXPECT_EQ(tokenizer->vocabulary(), static_cast<std::int32_t>(vocabulary.tokens.size()));
}

TEST(bpe_tokenizer, a_token_that_merges_do_not_reach_is_used_only_where_merges_are_ignored) {
  TestingVocabulary vocabulary;
  const auto cat = vocabulary.add("cat", 1);
  EXPECT_THAT(encode(*made(vocabulary.metadata("gpt-2")), "cat"), ElementsAre('c', 'a', 't'));
  EXPECT_THAT(encode(*made(vocabulary.metadata("llama-bpe")), "cat"), ElementsAre(cat));
}

TEST(bpe_tokenizer, begin_and_end_follow_the_files_flags) {
  TestingVocabulary vocabulary;
  const auto begin = vocabulary.add("<begin>", 3);
  const auto end = vocabulary.add("<end>", 3);
  Metadata metadata = vocabulary.metadata("llama-bpe");
  metadata.set("tokenizer.ggml.bos_token_id", std::uint64_t(begin));
  metadata.set("tokenizer.ggml.eos_token_id", std::uint64_t(end));
  EXPECT_THAT(encode(*made(metadata), "a", {true, false}), ElementsAre(begin, 'a')) << "the rules' default";
  EXPECT_THAT(encode(*made(metadata), "a", {false, false}), ElementsAre('a'));
  metadata.set("tokenizer.ggml.add_bos_token", false);
  metadata.set("tokenizer.ggml.add_eos_token", true);
  const auto tokenizer = made(metadata);
  EXPECT_THAT(encode(*tokenizer, "a", {true, false}), ElementsAre('a', end));
  EXPECT_EQ(tokenizer->begin_token(), begin);
  EXPECT_EQ(tokenizer->end_token(), end);
}

TEST(bpe_tokenizer, a_model_without_special_ids_has_none) {
  const auto tokenizer = made(TestingVocabulary().metadata("llama-bpe"));
  EXPECT_EQ(tokenizer->begin_token(), -1);
  EXPECT_EQ(tokenizer->end_token(), -1);
  EXPECT_THAT(encode(*tokenizer, "a", {true, true}), ElementsAre('a'));
}

TEST(bpe_tokenizer, control_tokens_are_hidden_unless_shown) {
  TestingVocabulary vocabulary;
  const auto control = vocabulary.add("<ctl>", 3);
  const auto user = vocabulary.add("<user>", 4);
  const auto tokenizer = made(vocabulary.metadata());
  EXPECT_EQ(tokenizer->bytes(control, false), "");
  EXPECT_EQ(tokenizer->bytes(control, true), "<ctl>");
  EXPECT_EQ(tokenizer->bytes(user, false), "<user>");
  EXPECT_TRUE(tokenizer->is_control(control));
  EXPECT_FALSE(tokenizer->is_control(user));
  EXPECT_EQ(tokenizer->decode({'a', control, user}, false), "a<user>");
  EXPECT_THAT(encode(*tokenizer, "a<ctl>", {false, true}), ElementsAre('a', control));
}

TEST(bpe_tokenizer, ids_out_of_range_have_no_bytes_and_end_nothing) {
  const auto tokenizer = made(TestingVocabulary().metadata());
  for (const std::int32_t token : {-1, 256, 2147483647, static_cast<std::int32_t>(-2147483647 - 1)}) {
    EXPECT_EQ(tokenizer->bytes(token, true), "");
    EXPECT_FALSE(tokenizer->is_end(token));
    EXPECT_FALSE(tokenizer->is_control(token));
  }
  EXPECT_EQ(tokenizer->decode({-5, 'a', 999}, true), "a");
}

TEST(bpe_tokenizer, ends_are_known_by_id_and_by_name) {
  TestingVocabulary vocabulary;
  const auto end = vocabulary.add("<my_end>", 3);
  const auto turn = vocabulary.add("<|im_end|>", 4);
  const auto text = vocabulary.add("<|endoftext|>", 3);
  const auto other = vocabulary.add("<other>", 3);
  Metadata metadata = vocabulary.metadata();
  metadata.set("tokenizer.ggml.eos_token_id", std::uint64_t(end));
  const auto tokenizer = made(metadata);
  for (const auto token : {end, turn, text}) EXPECT_TRUE(tokenizer->is_end(token)) << token;
  EXPECT_FALSE(tokenizer->is_end(other));
  EXPECT_FALSE(tokenizer->is_end('a'));
}

TEST(bpe_tokenizer, in_harmony_the_end_of_a_message_is_not_the_end_of_the_reply) {
  TestingVocabulary vocabulary;
  const auto end = vocabulary.add("<|end|>", 3);
  const auto back = vocabulary.add("<|return|>", 3);
  EXPECT_TRUE(made(vocabulary.metadata("gpt-4o"))->is_end(end));
  vocabulary.add("<|call|>", 3);
  const auto channel = vocabulary.add("<|channel|>", 3);
  const auto tokenizer = made(vocabulary.metadata("gpt-4o"));
  EXPECT_FALSE(tokenizer->is_end(end));
  EXPECT_TRUE(tokenizer->is_end(back));
  EXPECT_EQ(tokenizer->bytes(channel, false), "<|channel|>");
}

TEST(bpe_tokenizer, any_bytes_survive_the_way_there_and_back) {
  TestingVocabulary vocabulary;
  for (const char* pair : {"th", "he", "  ", "\n\n", "\xC3\xA9", "\xF0\x9F", "00"}) {
    vocabulary.merge(std::string_view(pair).substr(0, 1), std::string_view(pair).substr(1));
  }
  vocabulary.add("<ctl>", 3);
  vocabulary.add("<user>", 4);
  std::mt19937 random(11);
  for (const char* rules :
       {"gpt-2", "smollm", "llama-bpe", "qwen2", "deepseek-coder", "deepseek-v3", "gpt-4o", "kimi-k2"}) {
    const auto tokenizer = made(vocabulary.metadata(rules));
    for (int round = 0; round < 200; ++round) {
      std::string text;
      for (auto size = random() % 120; size > 0; --size) {
        text += random() % 3 == 0 ? static_cast<char>(random())
                                  : " the\n\xC3\xA9\xF0\x9F\x98\x80 0<"[random() % 15];
      }
      std::string joined;
      for (const auto token : encode(*tokenizer, text)) joined += tokenizer->bytes(token, true);
      ASSERT_EQ(joined, text) << rules;
    }
  }
}

TEST(bpe_tokenizer, bytes_without_a_token_become_the_replacement_character) {
  TestingVocabulary vocabulary;
  const auto unknown = vocabulary.add("<unk>", 2);
  vocabulary.tokens[0xFF] = "[gone]";
  Metadata metadata = vocabulary.metadata();
  metadata.set("tokenizer.ggml.unknown_token_id", std::uint64_t(unknown));
  const auto tokenizer = made(metadata);
  EXPECT_THAT(encode(*tokenizer,
                     "a\xFF"
                     "b"),
              ElementsAre('a', 0xEF, 0xBF, 0xBD, 'b'));
}

TEST(bpe_tokenizer, texts_outside_the_alphabet_are_literal_and_byte_tokens_are_bytes) {
  TestingVocabulary vocabulary;
  const auto literal = vocabulary.add("two words", 1);
  const auto byte = vocabulary.add("<0xC3>", 6);
  const auto unused = vocabulary.add("[unused1]", 5);
  const auto tokenizer = made(vocabulary.metadata());
  EXPECT_EQ(tokenizer->bytes(literal, false), "two words");
  EXPECT_EQ(tokenizer->bytes(byte, false), "\xC3");
  EXPECT_EQ(tokenizer->bytes(unused, true), "");
}

TEST(bpe_tokenizer, a_long_piece_is_encoded_like_short_ones) {
  TestingVocabulary vocabulary;
  const auto two = vocabulary.merge("a", "a");
  const auto four = vocabulary.merge("aa", "aa");
  const auto tokenizer = made(vocabulary.metadata());
  std::vector<std::int32_t> expected(25000, four);
  expected.push_back(two);
  expected.push_back('a');
  EXPECT_EQ(encode(*tokenizer, std::string(100003, 'a')), expected);
}

// Data: see the provenance note in the file.
TEST(bpe_tokenizer, agrees_with_the_golden_ids_of_tiny_models) {
  std::ifstream file(PENSIEVE_TEST_DATA "/tokenizer/tiny_bpe.json");
  const auto data = nlohmann::json::parse(file);
  int compared = 0;
  for (const auto& vocabulary : data["vocabularies"]) {
    for (const auto& model : vocabulary["models"]) {
      Metadata metadata;
      metadata.set("tokenizer.ggml.tokens", vocabulary["tokens"].get<std::vector<std::string>>());
      metadata.set("tokenizer.ggml.merges", vocabulary["merges"].get<std::vector<std::string>>());
      metadata.set("tokenizer.ggml.token_type", vocabulary["types"].get<std::vector<std::int64_t>>());
      for (const auto& [key, value] : model["metadata"].items()) {
        if (value.is_boolean()) metadata.set(key, value.get<bool>());
        if (value.is_number()) metadata.set(key, value.get<std::uint64_t>());
        if (value.is_string()) metadata.set(key, value.get<std::string>());
      }
      const auto tokenizer = made(metadata);
      ASSERT_NE(tokenizer, nullptr) << model["name"];
      for (const auto& example : model["cases"]) {
        const auto text = example["text"].get<std::string>();
        EXPECT_EQ(encode(*tokenizer, text), example["plain"].get<std::vector<std::int32_t>>())
            << model["name"] << text;
        EXPECT_EQ(encode(*tokenizer, text, {true, false}),
                  example["add_special"].get<std::vector<std::int32_t>>())
            << model["name"] << text;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 64);
}

}  // namespace
}  // namespace pensieve::model
