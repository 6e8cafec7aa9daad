// Which special tokens are found where. Not for the text between them.
#include "model/tokenizer/special_splitter.h"

#include <gtest/gtest.h>

#include <string>

#include "model/tokenizer/testing_vocabulary.h"

namespace pensieve::model {
namespace {

class SpecialSplitterTest : public ::testing::Test {
 protected:
  void add(const std::string& text, std::int64_t type) { vocabulary_.add(text, type); }

  // Spans joined by '|', tokens in brackets.
  std::string split(std::string_view text, bool parse_special, const std::string& name = "") {
    Metadata metadata = vocabulary_.metadata();
    if (!name.empty()) metadata.set("general.name", name);
    const auto read = read_vocabulary(metadata, {});
    EXPECT_TRUE(read) << (read ? "" : read.error().what);
    std::vector<TextSpan> spans;
    SpecialSplitter(*read).split(text, parse_special, spans);
    std::string out;
    for (const TextSpan& span : spans) {
      if (!out.empty()) out += '|';
      out += span.token < 0 ? std::string(span.text)
                            : "[" + read->tokens[static_cast<std::size_t>(span.token)].text + "]";
    }
    return out;
  }

  testing::TestingVocabulary vocabulary_;
};

TEST_F(SpecialSplitterTest, user_defined_always_control_only_on_demand) {
  add("<ctl>", 3);
  add("<user>", 4);
  add("<unk>", 2);
  EXPECT_EQ(split("a<ctl>b<user><unk>c", false), "a<ctl>b|[<user>]|<unk>c");
  EXPECT_EQ(split("a<ctl>b<user><unk>c", true), "a|[<ctl>]|b|[<user>]|[<unk>]|c");
  EXPECT_EQ(split("", true), "");
  EXPECT_EQ(split("<ctl", true), "<ctl");
}

TEST_F(SpecialSplitterTest, longer_tokens_come_first_in_the_whole_text) {
  add("abc", 4);
  add("cdefg", 4);
  add("ab", 4);
  EXPECT_EQ(split("abcdefg", false), "[ab]|[cdefg]");
  EXPECT_EQ(split("xabcd", false), "x|[abc]|d");
}

TEST_F(SpecialSplitterTest, runs_are_cut_from_the_left) {
  add("  ", 4);
  add("    ", 4);
  EXPECT_EQ(split("x         y", false), "x|[    ]|[    ]| y");
  EXPECT_EQ(split("       ", false), "[    ]|[  ]| ");
}

TEST_F(SpecialSplitterTest, white_space_beside_some_tokens_belongs_to_them) {
  add("<|sys|>", 3);
  add("<s>", 3);
  EXPECT_EQ(split("<|sys|> \n a <s> b", true, "Phi-3 mini"), "[<|sys|>]|a |[<s>]| b");
  EXPECT_EQ(split("<|sys|> \n a <s> b", true), "[<|sys|>]| \n a |[<s>]| b");
  add("[MASK]", 3);
  EXPECT_EQ(split("a \n [MASK] b", true, "modern-bert"), "a|[[MASK]]| b");
  EXPECT_EQ(split("  [MASK]", true, "modern-bert"), "[[MASK]]");
}

TEST_F(SpecialSplitterTest, control_tokens_known_by_name_are_not_found_in_user_text) {
  add("<|im_end|>", 4);
  EXPECT_EQ(split("a<|im_end|>b", false), "a<|im_end|>b");
  EXPECT_EQ(split("a<|im_end|>b", true), "a|[<|im_end|>]|b");
}

}  // namespace
}  // namespace pensieve::model
