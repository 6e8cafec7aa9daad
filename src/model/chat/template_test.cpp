// The language against what the original renders (data in tests/data/templates), and the errors it gives.
#include "model/chat/template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace pensieve::model {
namespace {

util::Json load(const std::string& name) {
  std::ifstream file(std::string(PENSIEVE_TEST_DATA) + "/templates/" + name);
  std::stringstream text;
  text << file.rdbuf();
  const Result<util::Json> json = util::parse_json(text.str());
  EXPECT_TRUE(json) << name << ": " << (json ? "" : json.error().what);
  return json ? *json : util::Json::object();
}

RenderOptions fixed_clock() {
  RenderOptions options;
  options.clock = "2026-01-02 15:04:05";
  return options;
}

Result<std::string> render(const std::string& source, const util::Json& variables = util::Json::object()) {
  const Result<Template> parsed = Template::parse(source);
  if (!parsed) return tl::unexpected(parsed.error());
  return parsed->render(variables, fixed_clock());
}

TEST(TemplateTest, LanguageMeansWhatItMeansInTheOriginal) {
  const util::Json data = load("language.json");
  ASSERT_GT(data["cases"].size(), 700U);
  for (const util::Json& each : data["cases"]) {
    const auto source = each["template"].get<std::string>();
    const Result<std::string> text = render(source, data["variables"]);
    if (each.contains("error")) {
      EXPECT_FALSE(text) << source << " rendered " << (text ? *text : "");
    } else {
      EXPECT_EQ(text ? *text : text.error().what, each["text"].get<std::string>()) << source;
    }
  }
}

TEST(TemplateTest, TemplatesOfModelsRenderByteForByte) {
  const util::Json data = load("models.json");
  ASSERT_FALSE(data["templates"].empty());
  for (const util::Json& model : data["templates"]) {
    const Result<Template> parsed = Template::parse(model["template"].get<std::string>());
    ASSERT_TRUE(parsed) << model["name"] << parsed.error().what;
    for (const util::Json& each : model["cases"]) {
      const Result<std::string> text = parsed->render(each["variables"], fixed_clock());
      if (each.contains("raises")) {
        ASSERT_FALSE(text) << model["name"] << each["name"];
        EXPECT_EQ(text.error().reason, "raise_exception");
        EXPECT_EQ(text.error().what, each["raises"].get<std::string>());
      } else {
        ASSERT_TRUE(text) << model["name"] << each["name"] << text.error().what;
        EXPECT_EQ(*text, each["text"].get<std::string>()) << model["name"] << each["name"];
      }
    }
  }
}

TEST(TemplateTest, SyntaxErrorsNameLineAndToken) {
  struct Case {
    const char* source;
    const char* what;
  };
  for (const Case& each :
       {Case{"a\n{% if x %}\nb", "template line 3: unexpected end of template, expected '{% endif %}'"},
        Case{"\n{{ a b }}", "template line 2: unexpected 'b', expected '}}'"},
        Case{"{{ (1, 2] }}", "template line 1: unexpected ']', expected ')'"},
        Case{"{% frobnicate %}", "template line 1: unknown tag 'frobnicate'"},
        Case{"{% for x in y %}{% endif %}",
             "template line 1: unexpected tag 'endif', expected 'else', 'endfor'"},
        Case{"\n\n{{ 'abc }}", "template line 3: a string is not closed"},
        Case{"{{ a ? b }}", "template line 1: unexpected character '?'"},
        Case{"{% break %}", "template line 1: 'break' outside of a loop"},
        Case{"{% include 'x' %}",
             "template line 1: 'include' is not allowed: a chat template stands alone"}}) {
    const Result<Template> parsed = Template::parse(each.source);
    ASSERT_FALSE(parsed) << each.source;
    EXPECT_EQ(parsed.error().what, each.what);
    EXPECT_EQ(parsed.error().reason, "template_syntax");
    EXPECT_EQ(parsed.error().code, Error::Code::invalid);
  }
}

TEST(TemplateTest, RuntimeErrorsNameLineAndExpression) {
  const Result<std::string> text = render("x\n{% if true %}{{ 'a' + missing.part }}{% endif %}");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().what, "template line 2: 'missing' is undefined, in 'missing.part'");
  EXPECT_EQ(text.error().reason, "template_error");
  const Result<std::string> loop = render("{% for x in 5 %}{% endfor %}");
  ASSERT_FALSE(loop);
  EXPECT_EQ(loop.error().what, "template line 1: 'int' object is not iterable");
}

TEST(TemplateTest, RaiseExceptionCarriesTheTemplatesOwnMessage) {
  const Result<std::string> text =
      render("{% macro m() %}{{ raise_exception('no ' ~ what) }}{% endmacro %}{{ m() }}", {{"what", "way"}});
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().reason, "raise_exception");
  EXPECT_EQ(text.error().what, "no way");
}

TEST(TemplateTest, SandboxDeniesChangesAndPrivateAttributes) {
  EXPECT_FALSE(render("{{ [1].append(2) }}"));
  EXPECT_FALSE(render("{{ {'a': 1}.update({'b': 2}) }}"));
  EXPECT_FALSE(render("{{ ''.__class__.__mro__ }}"));
  EXPECT_FALSE(render("{{ '{0.real}'.format(1) }}"));
  EXPECT_EQ(render("{{ ''.__class__ }}").value(), "");
}

TEST(TemplateTest, IntegersOverflowIntoAnErrorNotIntoNonsense) {
  for (const char* source : {"{{ 9223372036854775807 + 1 }}", "{{ 2 ** 63 }}",
                             "{{ -9223372036854775807 - 2 }}", "{{ 4611686018427387904 * 2 }}",
                             "{{ (-9223372036854775807 - 1)|abs }}", "{{ 99999999999999999999 }}"}) {
    EXPECT_FALSE(render(source)) << source;
  }
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) % -1 }}").value(), "0");
  EXPECT_EQ(render("{{ x }}", {{"x", std::uint64_t{18446744073709551615U}}}).value(),
            "1.8446744073709552e+19");
}

TEST(TemplateTest, ClockIsCheckedAndUsed) {
  const Result<Template> parsed = Template::parse("{{ strftime_now('%A %-d %B %Y, day %j') }}");
  ASSERT_TRUE(parsed);
  RenderOptions options;
  options.clock = "2024-02-29 23:59:59";
  EXPECT_EQ(parsed->render(util::Json::object(), options).value(), "Thursday 29 February 2024, day 060");
  for (const char* clock : {"2023-02-29 00:00:00", "2024-13-01 00:00:00", "2024-01-01T00:00:00", "yesterday",
                            "2024-01-01 24:00:00"}) {
    options.clock = clock;
    EXPECT_FALSE(parsed->render(util::Json::object(), options)) << clock;
  }
}

TEST(TemplateTest, VariablesMustBeAnObject) {
  const Result<Template> parsed = Template::parse("x");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->render(util::Json::array()));
}

TEST(TemplateTest, OneTemplateRendersOnManyThreads) {
  const Result<Template> parsed = Template::parse(
      "{% set ns = namespace(t='') %}{% for i in range(200) %}{% set ns.t = ns.t ~ i ~ x %}{% endfor %}{{ "
      "ns.t }}");
  ASSERT_TRUE(parsed);
  const std::string expected = parsed->render({{"x", "-"}}).value();
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (std::string& result : results)
    threads.emplace_back([&parsed, &result] { result = parsed->render({{"x", "-"}}).value_or("failed"); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& result : results) EXPECT_EQ(result, expected);
}

}  // namespace
}  // namespace pensieve::model
