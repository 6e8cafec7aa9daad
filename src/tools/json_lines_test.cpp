// Lines that scripts send, right and wrong: each gets exactly one line back.
#include "tools/json_lines.h"

#include <gmock/gmock.h>

#include <sstream>

namespace pensieve::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> answers(const std::string& input,
                                 const std::function<Result<Json>(const Json&)>& answer) {
  std::istringstream in(input);
  std::ostringstream out;
  EXPECT_TRUE(answer_lines(in, out, answer));
  std::vector<std::string> lines;
  std::istringstream result(out.str());
  for (std::string line; std::getline(result, line);) lines.push_back(line);
  return lines;
}

Result<Json> echo_ids(const Json& line) {
  const Result<std::vector<std::int32_t>> ids = ids_field(line, "ids", 100);
  if (!ids) return tl::unexpected(ids.error());
  return Json{{"ids", *ids}};
}

TEST(JsonLines, OneAnswerForEachLineAndErrorsDoNotStop) {
  const std::vector<std::string> lines =
      answers("{\"ids\":[1,2]}\n\nnonsense\n[1]\n  \r\n{\"ids\":[]}\n{\"ids\":[3]}", echo_ids);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], R"({"ids":[1,2]})");
  EXPECT_THAT(lines[1], HasSubstr("{\"error\":"));
  EXPECT_THAT(lines[2], HasSubstr("expected an object"));
  EXPECT_EQ(lines[3], R"({"ids":[]})");
  EXPECT_EQ(lines[4], R"({"ids":[3]})");
}

TEST(JsonLines, IdsAreChecked) {
  for (const char* bad :
       {R"({"ids":[100]})", R"({"ids":[-1]})", R"({"ids":[1.5]})", R"({"ids":["1"]})", R"({"ids":7})",
        R"({})", R"({"ids":[18446744073709551615]})", R"({"ids":[4294967297]})"}) {
    const std::vector<std::string> lines = answers(bad, echo_ids);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_THAT(lines[0], HasSubstr("'ids'")) << bad;
  }
}

TEST(JsonLines, FieldsNameWhatTheyExpect) {
  const Json line =
      Json::parse(R"({"flag":1,"count":-2,"text":3,"nothing":null,"hex":"0aFf","odd":"abc","letters":"zz"})");
  EXPECT_THAT(flag_field(line, "flag", false).error().what, HasSubstr("true or false"));
  EXPECT_THAT(count_field(line, "count", 0).error().what, HasSubstr("-2"));
  EXPECT_THAT(text_field(line, "text", "").error().what, HasSubstr("a string"));
  EXPECT_EQ(*flag_field(line, "nothing", true), true);
  EXPECT_EQ(*count_field(line, "absent", 5), 5);
  EXPECT_EQ(*hex_field(line, "hex"), "\x0A\xFF");
  EXPECT_FALSE(hex_field(line, "odd"));
  EXPECT_FALSE(hex_field(line, "letters"));
  EXPECT_FALSE(hex_field(line, "absent"));
}

}  // namespace
}  // namespace pensieve::tools
