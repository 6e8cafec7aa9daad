// The decoded text's clean-up, checked on examples of each of its three passes. Not for token bytes.
#include "model/tokenizer/text_cleanup.h"

#include <gtest/gtest.h>

namespace pensieve::model {
namespace {

TEST(clean_spaces, removes_one_space_before_signs) {
  EXPECT_EQ(clean_spaces("a ? b ! c . d , e ; f"), "a? b! c. d, e ; f");
  EXPECT_EQ(clean_spaces("a  ."), "a .");
  EXPECT_EQ(clean_spaces(" ."), ".");
  EXPECT_EQ(clean_spaces(". . ."), "...");
  EXPECT_EQ(clean_spaces("\n."), "\n.");
}

TEST(clean_spaces, joins_over_a_lone_apostrophe) {
  EXPECT_EQ(clean_spaces("don ' t"), "don't");
  EXPECT_EQ(clean_spaces("' x"), "' x");
  EXPECT_EQ(clean_spaces("x '"), "x '");
  EXPECT_EQ(clean_spaces("a ' ' b"), "a'' b");
}

TEST(clean_spaces, removes_the_space_before_some_contractions) {
  EXPECT_EQ(clean_spaces("it 's I 'm we 're they 've"), "it's I'm we're they've");
  EXPECT_EQ(clean_spaces("don 't he 'd she 'll a 'r b 'v"), "don 't he 'd she 'll a 'r b 'v");
}

TEST(clean_spaces, keeps_everything_else) {
  for (const char* text : {"", " ", "x", "a b", "  a  b  ", "'s"}) {
    EXPECT_EQ(clean_spaces(text), text);
  }
  EXPECT_EQ(clean_spaces("\xFF ."), "\xFF.");
}

}  // namespace
}  // namespace pensieve::model
