// SentencePiece-style BPE as its users see it: spaces as letters, scores or a list of merges, byte fallback.
#include "model/tokenizer/sentence_bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/tokenizer/tokenizer_factory.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Tokens 0 to 2: <unk>, <s>, </s>; 3 to 258: the bytes.
struct Pieces {
  std::vector<std::string> texts{"<unk>", "<s>", "</s>"};
  std::vector<double> scores{0, 0, 0};
  std::vector<std::int64_t> types{2, 3, 3};

  Pieces() {
    for (int byte = 0; byte < 256; ++byte) {
      char text[8];
      std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
      add(text, 0, 6);
    }
  }
  std::int32_t add(std::string text, double score, std::int64_t type = 1) {
    texts.push_back(std::move(text));
    scores.push_back(score);
    types.push_back(type);
    return static_cast<std::int32_t>(texts.size()) - 1;
  }
  Metadata metadata() const {
    Metadata made;
    made.set("tokenizer.ggml.model", std::string("llama"));
    made.set("tokenizer.ggml.tokens", texts);
    made.set("tokenizer.ggml.scores", scores);
    made.set("tokenizer.ggml.token_type", types);
    made.set("tokenizer.ggml.bos_token_id", std::uint64_t{1});
    made.set("tokenizer.ggml.eos_token_id", std::uint64_t{2});
    made.set("tokenizer.ggml.unknown_token_id", std::uint64_t{0});
    return made;
  }
};

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

TEST(sentence_bpe, the_best_score_merges_first_and_the_leftmost_among_equals) {
  Pieces pieces;
  const auto space = pieces.add("▁", -10);
  const auto a = pieces.add("a", -11), b = pieces.add("b", -12);
  const auto ab = pieces.add("ab", -2), ba = pieces.add("ba", -1);
  const auto tokenizer = made(pieces.metadata());
  EXPECT_THAT(encode(*tokenizer, "aba"), ElementsAre(space, a, ba));
  EXPECT_THAT(encode(*tokenizer, "ab b"), ElementsAre(space, ab, space, b));
  pieces.scores[static_cast<std::size_t>(ab)] = -1;
  EXPECT_THAT(encode(*made(pieces.metadata()), "aba"), ElementsAre(space, ab, a));
  EXPECT_EQ(tokenizer->decode({space, a, ba}, true), "aba");
}

TEST(sentence_bpe, letters_that_only_longer_pieces_hold_still_merge) {
  Pieces pieces;
  const auto space = pieces.add("▁", -10);
  const auto both = pieces.add("xy", -1);
  const auto tokenizer = made(pieces.metadata());
  EXPECT_THAT(encode(*tokenizer, "xy"), ElementsAre(space, both));
  EXPECT_THAT(encode(*tokenizer, "x"), ElementsAre(space, 3 + 'x'));
}

TEST(sentence_bpe, what_no_piece_spells_becomes_bytes_and_comes_back) {
  Pieces pieces;
  const auto space = pieces.add("▁", -10);
  const auto tokenizer = made(pieces.metadata());
  const auto tokens = encode(*tokenizer, "é\xFF");
  EXPECT_THAT(tokens, ElementsAre(space, 3 + 0xC3, 3 + 0xA9, 3 + 0xFF));
  EXPECT_EQ(tokenizer->decode(tokens, true), "é\xFF");
}

TEST(sentence_bpe, text_never_merges_into_control_tokens) {
  Pieces pieces;
  for (const char* text : {"▁", "<", "s", ">", "<s"}) pieces.add(text, -5);
  const auto tokenizer = made(pieces.metadata());
  for (const std::int32_t token : encode(*tokenizer, "<s></s>")) EXPECT_FALSE(tokenizer->is_control(token));
  EXPECT_THAT(encode(*tokenizer, "<s>", {false, true}), ElementsAre(1));
  EXPECT_THAT(encode(*tokenizer, "", {true, false}), ElementsAre(1));
}

TEST(sentence_bpe, the_space_before_the_text_follows_the_files_flag) {
  Pieces pieces;
  const auto space = pieces.add("▁", -10);
  const auto a = pieces.add("a", -11);
  Metadata metadata = pieces.metadata();
  EXPECT_THAT(encode(*made(metadata), "a<s>a", {false, true}), ElementsAre(space, a, 1, space, a));
  metadata.set("tokenizer.ggml.add_space_prefix", false);
  EXPECT_THAT(encode(*made(metadata), "a<s> a", {false, true}), ElementsAre(a, 1, space, a));
}

TEST(sentence_bpe, a_list_of_merges_takes_the_place_of_scores) {
  Pieces pieces;
  pieces.add("▁", -10);
  const auto a = pieces.add("a", 0), b = pieces.add("b", 0);
  const auto ab = pieces.add("ab", 0);
  pieces.add("ba", 0);
  Metadata metadata = pieces.metadata();
  metadata.set("tokenizer.ggml.add_space_prefix", false);
  metadata.set("tokenizer.ggml.merges", std::vector<std::string>{"a b", "b a"});
  EXPECT_THAT(encode(*made(metadata), "bab"), ElementsAre(b, ab));
  EXPECT_THAT(encode(*made(metadata), "a"), ElementsAre(a));
  metadata.set("tokenizer.ggml.merges", std::vector<std::string>{"a c"});
  EXPECT_THAT(make_tokenizer(metadata).error().what, HasSubstr("merges[0] 'a c' needs the token 'c'"));
}

TEST(sentence_bpe, files_that_cannot_work_are_refused) {
  Pieces pieces;
  pieces.scores[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(make_tokenizer(pieces.metadata()).error().what, HasSubstr("scores[0] is not a number"));
  Pieces long_piece;
  long_piece.add(std::string(513, 'x'), 0);
  EXPECT_THAT(make_tokenizer(long_piece.metadata()).error().what, HasSubstr("has 513 bytes"));
  Metadata helpless;
  helpless.set("tokenizer.ggml.model", std::string("llama"));
  helpless.set("tokenizer.ggml.tokens", std::vector<std::string>{"a"});
  helpless.set("tokenizer.ggml.scores", std::vector<double>{0});
  EXPECT_THAT(make_tokenizer(helpless).error().what, HasSubstr("neither byte tokens nor an unknown token"));
}

}  // namespace
}  // namespace pensieve::model
