// tokenizer.json through to ids, and what of it is refused. The texts are ours, in the published form.
#include "model/tokenizer/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "model/tokenizer/byte_alphabet.h"
#include "model/tokenizer/testing_vocabulary.h"
#include "model/tokenizer/tokenizer_factory.h"
#include "util/json.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using util::Json;

Result<std::unique_ptr<Tokenizer>> make(const Json& tokenizer, const std::string& configuration = "") {
  Metadata metadata;
  if (auto added = add_tokenizer_json(tokenizer.dump(), configuration, metadata); !added)
    return tl::unexpected(added.error());
  return make_tokenizer(metadata);
}

std::vector<std::int32_t> encode(const Json& tokenizer, std::string_view text, EncodeOptions options = {}) {
  auto made = make(tokenizer);
  EXPECT_TRUE(made) << (made ? "" : made.error().what);
  std::vector<std::int32_t> tokens;
  if (made) (*made)->encode(text, options, tokens);
  return tokens;
}

std::string refusal(const Json& tokenizer) {
  const auto made = make(tokenizer);
  return made ? "accepted" : made.error().what;
}

// Bytes are tokens 0 to 255, then "he", "hel", <begin>, <mark>.
Json byte_level() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    const auto letter = static_cast<char>(static_cast<std::uint8_t>(byte));
    vocabulary[testing::in_alphabet(std::string_view(&letter, 1))] = byte;
  }
  vocabulary["he"] = 256;
  vocabulary["hel"] = 257;
  return Json{
      {"added_tokens",
       {{{"id", 258}, {"content", "<begin>"}, {"special", true}},
        {{"id", 259}, {"content", "<mark>"}, {"special", false}, {"lstrip", true}}}},
      {"normalizer", {{"type", "NFC"}}},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {{{"SpecialToken", {{"id", "<begin>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
        {"special_tokens", {{"<begin>", {{"id", "<begin>"}, {"ids", {258}}}}}}}},
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"h e", {"he", "l"}}}}},
  };
}

Json sentence_piece() {
  return Json{
      {"added_tokens", {{{"id", 0}, {"content", "<unk>"}, {"special", true}}}},
      {"normalizer",
       {{"type", "Sequence"},
        {"normalizers",
         {{{"type", "Prepend"}, {"prepend", "▁"}},
          {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}}},
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<unk>"},
        {"vocab", {{"<unk>", 0}, {"▁", 1}, {"a", 2}, {"▁a", 3}}},
        {"merges", Json::array({Json::array({"▁", "a"})})}}},
  };
}

TEST(tokenizer_json, byte_level_bpe_with_merges_of_both_spellings) {
  EXPECT_THAT(encode(byte_level(), "hello"), ElementsAre(257, 'l', 'o'));
  EXPECT_THAT(encode(byte_level(), "he", {true, false}), ElementsAre(258, 256));
  EXPECT_THAT(encode(byte_level(), "a <mark>a"), ElementsAre('a', 259, 'a')) << "the mark takes the space";
  EXPECT_THAT(encode(byte_level(), "e\xCC\x81"), ElementsAre(0xC3, 0xA9)) << "normalised to one letter";
}

TEST(tokenizer_json, the_prefix_space_and_expressions_of_the_file_hold) {
  Json json = byte_level();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_THAT(encode(json, "x"), ElementsAre(' ', 'x'));
  EXPECT_THAT(encode(json, " x"), ElementsAre(' ', 'x'));
  json["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"String", "e"}}}, {"behavior", "Isolated"}};
  EXPECT_THAT(encode(json, "he"), ElementsAre('h', 'e')) << "the cut keeps the merge away";
}

TEST(tokenizer_json, sentence_piece_bpe) {
  EXPECT_THAT(encode(sentence_piece(), "a a"), ElementsAre(3, 3));
  EXPECT_THAT(encode(sentence_piece(), "b"), ElementsAre(1, 0));
  Json json = sentence_piece();
  json.erase("normalizer");
  json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}};
  EXPECT_THAT(encode(json, "a a"), ElementsAre(2, 3));
}

TEST(tokenizer_json, word_piece) {
  const Json json{
      {"added_tokens", {{{"id", 0}, {"content", "[UNK]"}, {"special", true}}}},
      {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"max_input_chars_per_word", 5},
        {"vocab", {{"[UNK]", 0}, {"ab", 1}, {"##c", 2}}}}},
  };
  EXPECT_THAT(encode(json, "ABC áb abcccc"), ElementsAre(1, 2, 1, 0));
}

PairFrame frame(const Json& json) {
  Metadata metadata;
  const auto added = add_tokenizer_json(json.dump(), "", metadata);
  EXPECT_TRUE(added) << (added ? "" : added.error().what);
  const auto made = make_tokenizer(metadata);
  EXPECT_TRUE(made) << (made ? "" : made.error().what);
  return made ? (*made)->pair_frame() : PairFrame{};
}

TEST(tokenizer_json, what_stands_around_and_between_two_texts) {
  Json json = byte_level();
  EXPECT_THAT(frame(json).between, ::testing::IsEmpty());
  const Json token{{"SpecialToken", {{"id", "<begin>"}}}}, text{{"Sequence", {{"id", "A"}}}};
  json["post_processor"]["single"] = Json::array({token, text, token});
  EXPECT_THAT(frame(json).between, ElementsAre(258)) << "nothing said of pairs";
  json["post_processor"]["pair"] = Json::array({token, text, token, token, text, token});
  EXPECT_THAT(frame(json).opening, ElementsAre(258));
  EXPECT_THAT(frame(json).between, ElementsAre(258, 258));
  EXPECT_THAT(frame(json).closing, ElementsAre(258));
  json["post_processor"] = {{"type", "RobertaProcessing"},
                            {"cls", Json::array({"<begin>", 258})},
                            {"sep", Json::array({"<mark>", 259})}};
  EXPECT_THAT(frame(json).between, ElementsAre(259, 259));
  json["post_processor"]["type"] = "BertProcessing";
  EXPECT_THAT(frame(json).between, ElementsAre(259));
}

TEST(tokenizer_json, special_tokens_and_the_template_come_from_the_configuration) {
  Metadata metadata;
  ASSERT_TRUE(add_tokenizer_json(byte_level().dump(),
                                 R"({"bos_token":{"content":"<begin>"},"eos_token":"<mark>",
                                     "chat_template":[{"name":"default","template":"{{ x }}"}]})",
                                 metadata));
  EXPECT_EQ(metadata.integer("tokenizer.ggml.bos_token_id")->value(), 258);
  EXPECT_EQ(metadata.integer("tokenizer.ggml.eos_token_id")->value(), 259);
  EXPECT_EQ(metadata.text("tokenizer.chat_template")->value(), "{{ x }}");
}

TEST(tokenizer_json, what_we_cannot_do_is_refused_by_name) {
  Json json = byte_level();
  json["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_THAT(refusal(json), HasSubstr("Lowercase"));
  json = byte_level();
  json["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"Regex", "(?<=x)y"}}}, {"behavior", "Isolated"}};
  EXPECT_THAT(refusal(json), HasSubstr("does not understand the pre-tokenizer"));
  json["pre_tokenizer"]["pattern"]["Regex"] = std::string(500, '(') + std::string(500, ')');
  EXPECT_THAT(refusal(json), HasSubstr("too deep"));
  json = byte_level();
  json["model"]["type"] = "WordLevel";
  EXPECT_THAT(refusal(json), HasSubstr("'WordLevel'"));
  json = byte_level();
  json["model"]["end_of_word_suffix"] = "</w>";
  EXPECT_THAT(refusal(json), HasSubstr("end_of_word_suffix"));
}

TEST(tokenizer_json, ids_cannot_make_a_giant_table_or_contradict_one_another) {
  Json json = sentence_piece();
  json["model"]["vocab"]["a"] = 2'000'000'000;
  EXPECT_THAT(refusal(json), HasSubstr("model.vocab 'a' has the id 2000000000"));
  json["model"]["vocab"]["a"] = 1;
  EXPECT_THAT(refusal(json), HasSubstr("id 1 is both"));
  json["model"]["vocab"]["a"] = -1;
  EXPECT_THAT(refusal(json), HasSubstr("-1"));
}

// Each byte of a small file once wrong, missing or cut off: an answer, whatever it is, and usable where
// accepted.
TEST(tokenizer_json, damaged_files_are_answered) {
  const std::string whole = sentence_piece().dump();
  std::mt19937 random(3);
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole, shorter = whole;
    changed[at] = static_cast<char>(random());
    shorter.erase(at, 1);
    for (const std::string& text : {changed, shorter, whole.substr(0, at)}) {
      Metadata metadata;
      auto added = add_tokenizer_json(text, "", metadata);
      if (!added) {
        EXPECT_FALSE(added.error().what.empty());
        ++refused;
        continue;
      }
      const auto made = make_tokenizer(metadata);
      std::vector<std::int32_t> tokens;
      if (made) (*made)->encode("a b", {true, true}, tokens);
    }
  }
  EXPECT_GT(refused, 600);
}

}  // namespace
}  // namespace pensieve::model
