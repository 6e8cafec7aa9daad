// WordPiece as its users see it: normalised words, longest pieces, the unknown token, begin and end.
#include "model/tokenizer/word_piece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/tokenizer/tokenizer_factory.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum Token : std::int32_t {
  kPad,
  kUnknown,
  kClass,
  kSeparator,
  kCafe,
  kPlay,
  kIng,
  kWord,
  kMark,
  kHan,
  kI,
  kG
};

Metadata vocabulary() {
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", std::string("bert"));
  metadata.set("tokenizer.ggml.tokens",
               std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁cafe", "▁play", "ing", "▁word",
                                        "▁!", "▁中", "i", "g"});
  metadata.set("tokenizer.ggml.token_type", std::vector<std::int64_t>{3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  metadata.set("tokenizer.ggml.unknown_token_id", std::uint64_t{1});
  metadata.set("tokenizer.ggml.cls_token_id", std::uint64_t{2});
  metadata.set("tokenizer.ggml.seperator_token_id", std::uint64_t{3});
  return metadata;
}

std::vector<std::int32_t> encode(const Metadata& metadata, std::string_view text,
                                 EncodeOptions options = {}) {
  auto tokenizer = make_tokenizer(metadata);
  EXPECT_TRUE(tokenizer) << (tokenizer ? "" : tokenizer.error().what);
  std::vector<std::int32_t> tokens;
  if (tokenizer) (*tokenizer)->encode(text, options, tokens);
  return tokens;
}

TEST(word_piece, words_lose_case_and_accents_and_are_cut_into_the_longest_pieces) {
  EXPECT_THAT(encode(vocabulary(), "Café  PLAYING!中word"),
              ElementsAre(kCafe, kPlay, kIng, kMark, kHan, kWord));
  EXPECT_THAT(encode(vocabulary(), "Cafe\xCC\x81"), ElementsAre(kCafe)) << "an accent of its own";
  EXPECT_THAT(encode(vocabulary(), "playig"), ElementsAre(kPlay, kI, kG));
}

TEST(word_piece, a_word_that_cannot_be_spelled_is_one_unknown_token) {
  EXPECT_THAT(encode(vocabulary(), "playx word"), ElementsAre(kUnknown, kWord));
  EXPECT_THAT(encode(vocabulary(), "\xFF\x01"), ElementsAre()) << "nothing is left of what is no text";
}

TEST(word_piece, class_and_separator_enclose_a_text) {
  EXPECT_THAT(encode(vocabulary(), "word", {true, false}), ElementsAre(kClass, kWord, kSeparator));
  EXPECT_THAT(encode(vocabulary(), "[CLS]word", {false, true}), ElementsAre(kClass, kWord));
  const auto tokenizer = make_tokenizer(vocabulary());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->decode({kClass, kPlay, kIng, kMark, kSeparator}, false), " playing!");
  EXPECT_EQ((*tokenizer)->begin_token(), kClass);
}

TEST(word_piece, the_normaliser_can_be_told_to_keep_accents_and_case) {
  Metadata metadata = vocabulary();
  metadata.set("tokenizer.ggml.normalizer.accents", std::string("keep"));
  EXPECT_THAT(encode(metadata, "Café Cafe"), ElementsAre(kUnknown, kCafe));
  metadata.set("tokenizer.ggml.normalizer.lowercase", false);
  EXPECT_THAT(encode(metadata, "Cafe cafe"), ElementsAre(kUnknown, kCafe));
  metadata.set("tokenizer.ggml.normalizer.longest_word", std::uint64_t{3});
  EXPECT_THAT(encode(metadata, "cafe"), ElementsAre(kUnknown));
  metadata.set("tokenizer.ggml.normalizer.accents", std::string("some"));
  EXPECT_THAT(make_tokenizer(metadata).error().what, HasSubstr("'some', not keep or strip"));
}

TEST(word_piece, a_vocabulary_without_an_unknown_token_is_refused) {
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", std::string("bert"));
  metadata.set("tokenizer.ggml.tokens", std::vector<std::string>{"▁a"});
  EXPECT_THAT(make_tokenizer(metadata).error().what, HasSubstr("no unknown token"));
}

TEST(word_piece, pairs_have_one_separator_between) {
  const auto tokenizer = make_tokenizer(vocabulary());
  ASSERT_TRUE(tokenizer);
  const PairFrame frame = (*tokenizer)->pair_frame();
  EXPECT_THAT(frame.opening, ElementsAre(kClass));
  EXPECT_THAT(frame.between, ElementsAre(kSeparator));
  EXPECT_THAT(frame.closing, ElementsAre(kSeparator));
}

}  // namespace
}  // namespace pensieve::model
