// The unigram model as its users see it: the best path, unknown characters, white space, the map it carries.
#include "model/tokenizer/unigram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "model/tokenizer/character_map.h"
#include "model/tokenizer/tokenizer_factory.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum Token : std::int32_t { kUnknown, kEnd, kSpace, kA, kB, kAb, kSpaceA, kAba };

Metadata vocabulary() {
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", std::string("t5"));
  metadata.set("tokenizer.ggml.tokens",
               std::vector<std::string>{"<unk>", "</s>", "▁", "a", "b", "ab", "▁a", "aba"});
  metadata.set("tokenizer.ggml.token_type", std::vector<std::int64_t>{2, 3, 1, 1, 1, 1, 1, 1});
  metadata.set("tokenizer.ggml.scores", std::vector<double>{0, 0, -2, -3, -3, -4, -2.5, -20});
  metadata.set("tokenizer.ggml.unknown_token_id", std::uint64_t{0});
  metadata.set("tokenizer.ggml.eos_token_id", std::uint64_t{1});
  return metadata;
}

std::vector<std::int32_t> encode(const Metadata& metadata, std::string_view text,
                                 EncodeOptions options = {}) {
  const auto tokenizer = make_tokenizer(metadata);
  EXPECT_TRUE(tokenizer) << (tokenizer ? "" : tokenizer.error().what);
  std::vector<std::int32_t> tokens;
  if (tokenizer) (*tokenizer)->encode(text, options, tokens);
  return tokens;
}

TEST(unigram, the_most_probable_path_wins_not_the_longest_piece) {
  EXPECT_THAT(encode(vocabulary(), "aba"), ElementsAre(kSpaceA, kB, kA)) << "-8.5 beats -9, -22 and others";
  EXPECT_THAT(encode(vocabulary(), "bab"), ElementsAre(kSpace, kB, kAb));
}

TEST(unigram, neighbouring_unknown_characters_are_one_token) {
  EXPECT_THAT(encode(vocabulary(), "axyza"), ElementsAre(kSpaceA, kUnknown, kA));
  EXPECT_THAT(encode(vocabulary(), "a\xFF"), ElementsAre(kSpaceA, kUnknown));
}

TEST(unigram, white_space_is_tidied_unless_the_file_says_otherwise) {
  Metadata metadata = vocabulary();
  EXPECT_THAT(encode(metadata, "  a   a "), ElementsAre(kSpaceA, kSpaceA));
  EXPECT_THAT(encode(metadata, "   "), ElementsAre());
  metadata.set("tokenizer.ggml.remove_extra_whitespaces", false);
  metadata.set("tokenizer.ggml.add_space_prefix", false);
  EXPECT_THAT(encode(metadata, "a  a"), ElementsAre(kA, kSpace, kSpaceA));
}

TEST(unigram, the_end_token_follows_and_decoding_gives_the_text_back) {
  EXPECT_THAT(encode(vocabulary(), "a", {true, false}), ElementsAre(kSpaceA, kEnd));
  EXPECT_EQ((*make_tokenizer(vocabulary()))->decode({kSpaceA, kB, kSpaceA, kEnd}, false), "ab a");
}

// A trie of one source, "b" to "a": the root, its child under 'b' at 0x62 with a value beside it.
std::string map_of_b_to_a() {
  std::vector<std::uint32_t> units(0x64, 0);
  units[0] = 0;                             // children at their labels
  units[0x62] = 0x62 | 1U << 8 | 1U << 10;  // label, has a value, which is at 0x62 ^ 1
  units[0x63] = 1U << 31;                   // the value: replacement at 0
  std::string bytes;
  const auto put = [&bytes](std::uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(word >> shift));
  };
  put(static_cast<std::uint32_t>(units.size() * 4));
  for (const std::uint32_t unit : units) put(unit);
  return bytes + "a" + std::string(1, '\0');
}

TEST(unigram, the_files_own_map_is_applied_first) {
  Metadata metadata = vocabulary();
  std::vector<std::int64_t> numbers;
  for (const char byte : map_of_b_to_a()) numbers.push_back(static_cast<std::uint8_t>(byte));
  metadata.set("tokenizer.ggml.precompiled_charsmap", numbers);
  EXPECT_THAT(encode(metadata, "b"), ElementsAre(kSpaceA));
}

TEST(unigram, damaged_maps_are_refused_or_harmless) {
  EXPECT_FALSE(CharacterMap::read(""));
  EXPECT_FALSE(
      CharacterMap::read(std::string("\xFF\xFF\xFF\xFF"
                                     "abc",
                                     7)));
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = map_of_b_to_a();
    for (int i = 0; i < 8; ++i) bytes[4 + random() % (bytes.size() - 4)] = static_cast<char>(random());
    const auto map = CharacterMap::read(bytes);
    ASSERT_TRUE(map);
    const auto match = map->longest("bbbb");
    if (match) {
      EXPECT_LE(match->size, 4U);
    }
  }
}

TEST(unigram, files_that_cannot_work_are_refused) {
  Metadata metadata = vocabulary();
  metadata.set("tokenizer.ggml.scores",
               std::vector<double>{0, 0, 0, 0, 0, 0, 0, std::numeric_limits<double>::infinity()});
  EXPECT_THAT(make_tokenizer(metadata).error().what, HasSubstr("scores[7] is not a finite number"));
}

}  // namespace
}  // namespace pensieve::model
