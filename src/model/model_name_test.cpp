// The grammar of names and the names that files get.
#include "model/model_name.h"

#include <gtest/gtest.h>

namespace pensieve::model {
namespace {

std::string names(std::string_view stem) {
  const auto tagged = tagged_names(stem);
  return tagged ? tagged->brief + " " + tagged->full : "none";
}

TEST(ModelName, NoNameIsAPath) {
  for (const char* good : {"a", "smollm2:135m", "Qwen2.5-0.5B", "org/model:7b-q4_0", "hf.co/org/model"}) {
    EXPECT_TRUE(valid_name(good)) << good;
  }
  for (const char* bad :
       {"",      ".",  "..", "../x", "a/../b", "/a", "a/", "a//b", "a/b/c/d", ".hidden", "a b",
        "a:b:c", ":a", "a:", "a\\b", "a%2fb",  "-a", "é",  "a\n",  "a..b",    "C:/x"}) {
    EXPECT_FALSE(valid_name(bad)) << bad;
  }
  EXPECT_FALSE(valid_name(std::string("a\0b", 3)));
  EXPECT_TRUE(valid_name(std::string(kLongestName, 'a')));
  EXPECT_FALSE(valid_name(std::string(kLongestName + 1, 'a')));
}

TEST(ModelName, FilesAreCutAtTheirSize) {
  EXPECT_EQ(names("smollm2-135m-instruct-q4_1"), "smollm2:135m smollm2:135m-instruct-q4_1");
  EXPECT_EQ(names("SmolLM2-135M-Instruct.Q4_1"), "smollm2:135m smollm2:135m-instruct-q4_1");
  EXPECT_EQ(names("Qwen2.5-0.5B-Instruct-Q8_0"), "qwen2.5:0.5b qwen2.5:0.5b-instruct-q8_0");
  EXPECT_EQ(names("Mixtral-8x7B-v0.1"), "mixtral:8x7b mixtral:8x7b-v0-1");
  EXPECT_EQ(names("Meta-Llama-3.1-8B"), "meta-llama-3.1:8b meta-llama-3.1:8b");
  EXPECT_EQ(names("model-f32"), "none");
  EXPECT_EQ(names("7b"), "none");
  EXPECT_EQ(names(""), "none");
}

TEST(ModelName, EveryFileNameBecomesAValidName) {
  for (const char* stem : {"my model (2)", "..x", "ünïcode", "a..b", "-q-", "a:b", "x\n"}) {
    EXPECT_TRUE(valid_name(name_from_file(stem))) << stem << " became " << name_from_file(stem);
  }
  EXPECT_EQ(name_from_file("my model (2)"), "my-model-2");
  EXPECT_EQ(name_from_file("...."), "");
  EXPECT_TRUE(valid_name(name_from_file(std::string(5000, 'x'))));
}

TEST(ModelName, DistancesCountEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("same", "same"), 0U);
  EXPECT_EQ(edit_distance(std::string(100000, 'a'), "b"), kLongestName);
}

TEST(ModelName, TheNearestIsTheLeastDistant) {
  constexpr std::string_view kKnown[] = {"llama", "qwen3", "qwen2"};
  EXPECT_EQ(nearest_of("qwen35", kKnown), "qwen3");
  EXPECT_EQ(nearest_of("lama", kKnown), "llama");
  EXPECT_EQ(nearest_of("x", {}), "");
}

}  // namespace
}  // namespace pensieve::model
