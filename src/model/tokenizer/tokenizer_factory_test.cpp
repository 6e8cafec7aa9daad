// Hostile and mistaken vocabularies are refused with the key, the index and the value; good ones are not.
// Encoding is tested in bpe_tokenizer_test.cpp.
#include "model/tokenizer/tokenizer_factory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "model/tokenizer/testing_vocabulary.h"

namespace pensieve::model {
namespace {

using ::testing::HasSubstr;
using testing::TestingVocabulary;

void expect_refused(const Metadata& metadata, Error::Code code, const std::vector<std::string>& parts) {
  const auto tokenizer = make_tokenizer(metadata);
  ASSERT_FALSE(tokenizer) << parts.front();
  EXPECT_EQ(tokenizer.error().code, code) << tokenizer.error().what;
  for (const std::string& part : parts) EXPECT_THAT(tokenizer.error().what, HasSubstr(part));
}

void expect_invalid(const std::function<void(TestingVocabulary&)>& spoil,
                    const std::vector<std::string>& parts) {
  TestingVocabulary vocabulary;
  vocabulary.merge("a", "b");
  spoil(vocabulary);
  expect_refused(vocabulary.metadata(), Error::Code::invalid, parts);
}

void expect_invalid_with(const std::string& key, MetadataValue value, const std::vector<std::string>& parts) {
  Metadata metadata = TestingVocabulary().metadata();
  metadata.set(key, std::move(value));
  expect_refused(metadata, Error::Code::invalid, parts);
}

TEST(tokenizer_factory, names_the_family_it_lacks_and_those_it_has) {
  Metadata metadata = TestingVocabulary().metadata();
  metadata.set("tokenizer.ggml.model", std::string("rwkv\n"));
  expect_refused(metadata, Error::Code::unsupported, {"tokenizer.ggml.model", "'rwkv\\x0a'", "gpt2"});
  expect_refused(Metadata(), Error::Code::invalid, {"tokenizer.ggml.model"});
}

TEST(tokenizer_factory, names_the_pre_tokenizer_it_lacks_and_those_it_has) {
  expect_refused(TestingVocabulary().metadata("no-such"), Error::Code::unsupported,
                 {"tokenizer.ggml.pre", "'no-such'", "llama-bpe", "qwen2"});
}

TEST(tokenizer_factory, an_absent_pre_tokenizer_is_the_default_one) {
  EXPECT_TRUE(make_tokenizer(TestingVocabulary().metadata("")));
  Metadata metadata;
  const TestingVocabulary vocabulary;
  metadata.set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.set("tokenizer.ggml.tokens", vocabulary.tokens);
  metadata.set("tokenizer.ggml.merges", vocabulary.merges);
  EXPECT_TRUE(make_tokenizer(metadata)) << "types are optional too";
  EXPECT_THAT(tokenizer_warnings(metadata),
              ::testing::ElementsAre(HasSubstr("tokenizer.ggml.pre is absent")));
  EXPECT_THAT(tokenizer_warnings(vocabulary.metadata()), ::testing::IsEmpty());
}

TEST(tokenizer_factory, refuses_bad_token_texts) {
  expect_invalid([](auto& v) { v.add("", 1); }, {"tokenizer.ggml.tokens[257]", "empty"});
  expect_invalid([](auto& v) { v.add("ab", 1); }, {"tokenizer.ggml.tokens[257]", "'ab'", "token 256"});
  expect_invalid([](auto& v) { v.add("a\xFF", 4); }, {"tokenizer.ggml.tokens[257]", "\\xff", "UTF-8"});
  expect_invalid([](auto& v) { v.add("a\tb", 1); }, {"token 257", "'a\\x09b'", "printable"});
  expect_invalid([](auto& v) { v.add(std::string("a\0b", 3), 1); }, {"token 257", "\\x00"});
  expect_invalid([](auto& v) { v.add("a\uFFFE", 1); }, {"token 257"});
  expect_invalid([](auto& v) { v.add(std::string(2000, '<'), 3); }, {"special token", "2000 bytes"});
}

TEST(tokenizer_factory, refuses_bad_byte_tokens) {
  for (const char* text : {"<0x-1>", "<0xZZ>", "<0x100>", "<0x1>", "xx"}) {
    expect_invalid([text](auto& v) { v.add(text, 6); }, {"token 257", text, "<0x00>"});
  }
}

TEST(tokenizer_factory, refuses_bad_types_and_scores) {
  expect_invalid([](auto& v) { v.types.pop_back(); },
                 {"tokenizer.ggml.token_type", "256 entries for 257 tokens"});
  expect_invalid([](auto& v) { v.types.push_back(1); }, {"tokenizer.ggml.token_type", "258 entries"});
  expect_invalid([](auto& v) { v.types[3] = 7; }, {"tokenizer.ggml.token_type[3]", "7"});
  expect_invalid([](auto& v) { v.types[3] = -1; }, {"tokenizer.ggml.token_type[3]", "-1"});
  expect_invalid_with("tokenizer.ggml.token_type", std::string("x"), {"tokenizer.ggml.token_type"});
  expect_invalid_with("tokenizer.ggml.scores", std::vector<double>(3),
                      {"tokenizer.ggml.scores", "3 entries"});
  expect_invalid_with("tokenizer.ggml.scores", true, {"tokenizer.ggml.scores"});
}

TEST(tokenizer_factory, refuses_bad_merges) {
  expect_invalid([](auto& v) { v.merges.push_back("ab"); }, {"tokenizer.ggml.merges[1]", "'ab'"});
  expect_invalid([](auto& v) { v.merges.push_back(" b"); }, {"tokenizer.ggml.merges[1]"});
  expect_invalid([](auto& v) { v.merges.push_back("a "); }, {"tokenizer.ggml.merges[1]"});
  expect_invalid([](auto& v) { v.merges.push_back("a b c"); }, {"tokenizer.ggml.merges[1]"});
  expect_invalid([](auto& v) { v.merges.push_back(""); }, {"tokenizer.ggml.merges[1]"});
  expect_invalid([](auto& v) { v.merges.push_back("a zz"); }, {"tokenizer.ggml.merges[1]", "'zz'"});
  expect_invalid([](auto& v) { v.merges.push_back("b a"); }, {"tokenizer.ggml.merges[1]", "'ba'"});
  expect_invalid_with("tokenizer.ggml.merges", true, {"tokenizer.ggml.merges"});
}

TEST(tokenizer_factory, refuses_special_ids_outside_the_vocabulary) {
  for (const char* name :
       {"bos", "eos", "eot", "eom", "unknown", "padding", "fim_pre", "prefix", "seperator", "mask"}) {
    const std::string key = std::string("tokenizer.ggml.") + name + "_token_id";
    expect_invalid_with(key, std::uint64_t{256}, {key, "256"});
    expect_invalid_with(key, std::int64_t{-2}, {key, "-2"});
    expect_invalid_with(key, std::uint64_t{0x8000000000000000}, {key});
    expect_invalid_with(key, std::string("1"), {key});
  }
}

TEST(tokenizer_factory, takes_minus_one_as_no_token) {
  Metadata metadata = TestingVocabulary().metadata();
  metadata.set("tokenizer.ggml.eos_token_id", std::uint64_t{0xFFFFFFFF});
  metadata.set("tokenizer.ggml.padding_token_id", std::int64_t{-1});
  const auto tokenizer = make_tokenizer(metadata);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->end_token(), -1);
}

TEST(tokenizer_factory, refuses_files_without_a_usable_vocabulary) {
  expect_invalid_with("tokenizer.ggml.tokens", std::vector<std::string>(), {"tokenizer.ggml.tokens"});
  expect_invalid_with("tokenizer.ggml.tokens", true, {"tokenizer.ggml.tokens"});
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.set("tokenizer.ggml.tokens", std::vector<std::string>{"hello", "world"});
  metadata.set("tokenizer.ggml.merges", std::vector<std::string>());
  expect_refused(metadata, Error::Code::invalid, {"single byte"});
  expect_invalid_with("tokenizer.ggml.add_bos_token", std::string("yes"), {"tokenizer.ggml.add_bos_token"});
}

}  // namespace
}  // namespace pensieve::model
