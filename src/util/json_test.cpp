// What the strict JSON parser takes, refuses, and says; and that escaping always gives valid JSON.
#include "util/json.h"

#include <gtest/gtest.h>

#include <random>

namespace pensieve::util {
namespace {

TEST(ParseJson, KeepsOrderAndKinds) {
  const auto value =
      parse_json(R"({"b":1,"a":[true,null,-2.5,"x\n\u00e9\ud83d\ude00"],"big":18446744073709551615})");
  ASSERT_TRUE(value) << value.error().what;
  EXPECT_EQ(to_json(*value), "{\"b\":1,\"a\":[true,null,-2.5,\"x\\né😀\"],\"big\":18446744073709551615}");
}

class RefusedJson : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(RefusedJson, IsRefusedWithPlaceOrReason) {
  const auto value = parse_json(GetParam().first);
  ASSERT_FALSE(value) << GetParam().first;
  EXPECT_EQ(value.error().code, Error::Code::invalid);
  EXPECT_NE(value.error().what.find(GetParam().second), std::string::npos) << value.error().what;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, RefusedJson,
    testing::Values(std::pair{"", "line 1, column 1"}, std::pair{"{\"a\":1,\n\"b\":}", "line 2, column 5"},
                    std::pair{"{\"a\":NaN}", "column 6"}, std::pair{"[Infinity]", "line 1"},
                    std::pair{"[1e999]", "1e999"}, std::pair{"[\"\xff\"]", "UTF-8"},
                    std::pair{"[\"\\ud800\"]", "surrogate"}, std::pair{"{} x", "line 1, column 4"},
                    std::pair{"{\"a\":1,\"b\":2,\"a\":3}", "\"a\" stands twice"},
                    std::pair{"[1,]", "line 1, column 4"}, std::pair{"{\"a\" 1}", "line 1"},
                    std::pair{"// c\n1", "line 1"}));

TEST(ParseJson, RefusesZeroBytesWhereverTheyAre) {
  using namespace std::string_literals;
  for (const std::string& text : {"{}\0"s, "{}\0garbage"s, "\0{}"s, "[1,\0 2]"s, "\"a\0b\""s}) {
    EXPECT_FALSE(parse_json(text)) << text.size();
  }
}

TEST(ParseJson, LimitsDepthAndCount) {
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
  const auto deep = parse_json(std::string(200000, '['));
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().what.find("deeper than 64"), std::string::npos);
  const auto many = parse_json("[1,2,3,4]", {.depth = 4, .values = 4});
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().what.find("more than 4 values"), std::string::npos);
}

TEST(JsonEscape, AnyBytesBecomeAStringThatParses) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += static_cast<char>(random());
    std::string quoted = "\"";
    json_escape(bytes, quoted);
    quoted += '"';
    const auto back = parse_json(quoted);
    ASSERT_TRUE(back) << quoted;
  }
  std::string out;
  json_escape("a\"\\\n\x01é", out);
  EXPECT_EQ(out, "a\\\"\\\\\\n\\u0001é");
}

}  // namespace
}  // namespace pensieve::util
