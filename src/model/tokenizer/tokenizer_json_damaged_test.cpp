// Damaged tokenizer.json files, some thousands: each is refused in words or makes a tokenizer that works;
// none crashes, hangs or grows.
#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <vector>

#include "model/tokenizer/tokenizer_factory.h"
#include "model/tokenizer/tokenizer_json.h"
#include "util/json.h"

namespace pensieve::model {
namespace {

using ::testing::HasSubstr;
using util::Json;

std::vector<Json> sound() {
  const Json special{{"id", 0}, {"content", "<s>"}, {"special", true}, {"lstrip", false}};
  const Json frame{{"type", "TemplateProcessing"},
                   {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
                   {"pair", {{{"Sequence", {{"id", "A"}}}}, {{"SpecialToken", {{"id", "<s>"}}}}}},
                   {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {0}}}}}}};
  Json bytes = Json::object();
  bytes["<s>"] = 0;
  for (char letter = '!'; letter <= '~'; ++letter) bytes[std::string(1, letter)] = letter - '!' + 1;
  bytes["ab"] = 95;
  Json pieces = Json::array();  // lists of pairs written in braces would be objects
  for (const auto& [text, score] :
       {std::pair{"<s>", 0.0}, {"<unk>", 0.0}, {"▁", -1.5}, {"a", -2.0}, {"▁a", -2.5}})
    pieces.push_back(Json::array({text, score}));
  return {
      Json{{"added_tokens", {special}},
           {"normalizer", {{"type", "NFC"}}},
           {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
           {"decoder", {{"type", "ByteLevel"}}},
           {"post_processor", frame},
           {"model", {{"type", "BPE"}, {"vocab", bytes}, {"merges", {"a b"}}, {"ignore_merges", true}}}},
      Json{{"added_tokens", {special}},
           {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}, {"strip_accents", true}}},
           {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
           {"post_processor", {{"type", "BertProcessing"}, {"sep", {"<s>", 0}}, {"cls", {"<s>", 0}}}},
           {"model",
            {{"type", "WordPiece"},
             {"unk_token", "[UNK]"},
             {"max_input_chars_per_word", 9},
             {"vocab", {{"<s>", 0}, {"[UNK]", 1}, {"a", 2}, {"##b", 3}}}}}},
      Json{{"added_tokens", {special}},
           {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}}},
           {"post_processor", frame},
           {"model", {{"type", "Unigram"}, {"unk_id", 1}, {"vocab", pieces}}}},
  };
}

// Every place of a document, the root first.
std::vector<Json::json_pointer> places(const Json& json) {
  std::vector<Json::json_pointer> found;
  const std::function<void(const Json&, const Json::json_pointer&)> walk =
      [&](const Json& at, const Json::json_pointer& way) {
        found.push_back(way);
        if (at.is_object()) {
          for (const auto& item : at.items()) walk(item.value(), way / item.key());
        } else if (at.is_array()) {
          for (std::size_t i = 0; i < at.size(); ++i) walk(at[i], way / i);
        }
      };
  walk(json, Json::json_pointer());
  return found;
}

// "works", or the refusal, which must say something.
std::string verdict(const std::string& text, const std::string& what) {
  Metadata metadata;
  if (const auto added = add_tokenizer_json(text, R"({"bos_token":"<s>"})", metadata); !added) {
    EXPECT_THAT(added.error().what, HasSubstr("tokenizer")) << what;
    return added.error().what;
  }
  const auto tokenizer = make_tokenizer(metadata);
  if (!tokenizer) {
    EXPECT_FALSE(tokenizer.error().what.empty()) << what;
    return tokenizer.error().what;
  }
  std::vector<std::int32_t> tokens;
  (*tokenizer)->encode("ab a <s> \xC3\xA9", {true, true}, tokens);
  for (const std::int32_t token : tokens) {
    EXPECT_TRUE(token >= 0 && token < (*tokenizer)->vocabulary()) << what << ": " << token;
  }
  static_cast<void>((*tokenizer)->decode(tokens, true));
  return "works";
}

TEST(tokenizer_json, sound_files_work) {
  for (const Json& json : sound()) EXPECT_EQ(verdict(json.dump(), "as it is"), "works");
}

TEST(tokenizer_json, anything_in_any_place_is_refused_or_works) {
  const std::vector<Json> wrong{nullptr,
                                true,
                                -1,
                                0,
                                7,
                                1e300,
                                4294967296.0,
                                1ULL << 63,
                                "",
                                "<s>",
                                "x y z",
                                Json::array(),
                                Json::object(),
                                Json::array({Json::array({"a", 1})}),
                                Json{{"type", "Sequence"}},
                                std::string(2000, '(')};
  std::size_t cases = 0;
  for (const Json& json : sound()) {
    for (const Json::json_pointer& place : places(json)) {
      for (const Json& value : wrong) {
        Json damaged = json;
        damaged[place] = value;
        static_cast<void>(verdict(damaged.dump(), place.to_string() + " is " + value.dump().substr(0, 40)));
        ++cases;
      }
      if (place.empty()) continue;
      Json without = json;  // and nothing there at all
      Json& parent = without[place.parent_pointer()];
      if (parent.is_object()) {
        parent.erase(place.back());
      } else {
        parent.erase(static_cast<std::size_t>(std::stoul(place.back())));
      }
      static_cast<void>(verdict(without.dump(), "without " + place.to_string()));
      ++cases;
    }
  }
  EXPECT_GT(cases, 2000U);
}

TEST(tokenizer_json, cut_off_anywhere_is_refused) {
  for (const Json& json : sound()) {
    const std::string text = json.dump();
    for (std::size_t size = 0; size < text.size(); size += 7)
      EXPECT_NE(verdict(text.substr(0, size), "cut at " + std::to_string(size)), "works");
  }
}

TEST(tokenizer_json, an_id_far_away_makes_no_giant_table) {
  for (Json json : sound()) {
    if (json["model"]["vocab"].is_array()) continue;
    json["model"]["vocab"]["far"] = 2000000000;
    EXPECT_THAT(verdict(json.dump(), "far"), HasSubstr("2000000000"));
  }
}

}  // namespace
}  // namespace pensieve::model
