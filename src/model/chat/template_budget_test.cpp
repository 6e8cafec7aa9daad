// Hostile templates: each attack ends in an error, soon and within the memory that the budget allows.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "model/chat/template.h"

namespace pensieve::model {
namespace {

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

RenderOptions small_budget() {
  RenderOptions options;
  options.steps = 1'000'000;
  options.memory_bytes = std::size_t{16} << 20;
  options.output_bytes = std::size_t{1} << 20;
  return options;
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::vector<std::string> attacks() {
  const std::string doubling = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ";

  return {
      "{{ '-' * 10**10 }}",
      "{{ 10**18 * 'ab' }}",
      "{{ ([1] * 10**10)|length }}",
      "{{ range(10**9)|list }}",
      "{{ range(0, -10**9, -1) }}",
      doubling + "ns.x + ns.x %}{% endfor %}",
      doubling + "ns.x ~ ns.x %}{% endfor %}",
      doubling + "ns.x.replace('a', 'aaaa') %}{% endfor %}",
      doubling + "ns.x|replace('a', ns.x) %}{% endfor %}",
      doubling + "ns.x.join([ns.x, ns.x, ns.x]) %}{% endfor %}",
      doubling + "[ns.x, ns.x]|join %}{% endfor %}",
      doubling + "'%s%s' % (ns.x, ns.x) %}{% endfor %}",
      doubling + "'{0}{0}'.format(ns.x) %}{% endfor %}",
      doubling + "(ns.x ~ '<')|e ~ ns.x|e %}{% endfor %}",
      doubling + "[ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
      doubling + "[ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
      doubling + "{'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x|string }}",
      "{{ 'a'|indent(10**12, true) }}",
      "{{ 'a'.center(10**12) }}",
      "{{ 'a'.ljust(10**12) }}",
      "{{ 'a'.zfill(10**12) }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '%*d' % (1000000000, 1) }}",
      "{{ '{:>1000000000}'.format(1) }}",
      "{{ [1]|tojson(indent=10**9) }}",
      "{{ [[[big]]]|tojson(indent=big) ~ big * 1000 }}",
      "{{ [1]|batch(10**10, 'x')|list }}",
      "{{ [1]|slice(10**10)|list }}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
      "{% for x in [[[]]] recursive %}{{ loop([[1]]) }}{% endfor %}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{% for i in range(100000) %}{{ big }}{% endfor %}",
      "{% for i in range(100000) %}{% if big == big ~ '' %}{% endif %}{% endfor %}",
      "{% for i in range(100000) %}{% if 'b' in big %}{% endif %}{% endfor %}",
      "{% for i in range(100000) %}{% set x = big.split('a') %}{% endfor %}",
      "{% for i in range(100000) %}{% set x = big|upper %}{% endfor %}",
      "{% for i in range(100000) %}{% set x = big[::-1] %}{% endfor %}",
      "{% for i in range(100000) %}{% set x = big.strip('abcdef') %}{% endfor %}",
      "{{ range(100000)|unique|list }}",
      "{{ big.rsplit('aa') }}",
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = ns.l + [big ~ i] %}{% "
      "endfor %}",
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% macro m() %}{% endmacro %}{% set ns.l "
      "= ns.l + [m] %}{% endfor %}",
      "{% set ns = namespace(l=none) %}{% for i in range(100000) %}{% for j in range(10) %}{% set ns.l = "
      "namespace(a=ns.l) %}{% endfor %}{% endfor %}",
      "{{ " + repeated("big ~ ", 300) + "big * 100 }}"};
}

TEST(TemplateBudgetTest, AttacksEndInABudgetError) {
  const util::Json variables{{"big", std::string(100'000, 'a')}};
  for (const std::string& source : attacks()) {
    SCOPED_TRACE(source.substr(0, 120));
    const Result<Template> parsed = Template::parse(source);
    ASSERT_TRUE(parsed) << parsed.error().what;
    const long before = peak_kib();
    const Result<std::string> text = parsed->render(variables, small_budget());
    ASSERT_FALSE(text) << "rendered " << text->size() << " bytes";
    EXPECT_EQ(text.error().reason, "template_budget") << text.error().what;
    EXPECT_EQ(text.error().code, Error::Code::exhausted);
    EXPECT_LT(peak_kib() - before, 256 * 1024);  // sanitizers keep freed memory for a while
  }
}

TEST(TemplateBudgetTest, NestedSourceIsRefusedWhenParsed) {
  constexpr std::size_t kMany = 100'000;
  for (const std::string& source :
       {"{{ " + repeated("(", kMany) + "1" + repeated(")", kMany) + " }}",
        "{{ " + repeated("[", kMany) + " }}", "{{ " + repeated("{'a':", kMany) + " }}",
        "{{ " + repeated("not ", kMany) + "x }}", "{{ " + repeated("- ", kMany) + "1 }}",
        "{{ x" + repeated(".a", kMany) + " }}", "{{ x" + repeated("|upper", kMany / 2) + " }}",
        "{{ 1" + repeated("+1", kMany) + " }}", "{{ x" + repeated("[0]", kMany) + " }}",
        "{{ x" + repeated("()", kMany) + " }}", "{{ 1" + repeated(" if 1", kMany) + " }}",
        "{{ " + repeated("1 if 1 else ", kMany / 4) + "1 }}", "{{ x" + repeated(" is y", kMany) + " }}",
        repeated("{% if 1 %}", kMany / 4), repeated("{% for x in y %}", kMany / 4),
        "{% set " + repeated("(", kMany) + "x" + repeated(")", kMany) + " = 1 %}",
        "{% filter upper" + repeated("|upper", kMany / 2) + " %}{% endfilter %}"}) {
    const Result<Template> parsed = Template::parse(source);
    EXPECT_FALSE(parsed) << source.substr(0, 30);
  }
}

TEST(TemplateBudgetTest, LongFlatTemplatesAreFine) {
  const Result<Template> parsed = Template::parse("{% if false %}" + repeated("{% elif false %}", 10'000) +
                                                  "{% else %}" + repeated("{{ 1 }}", 10'000) + "{% endif %}");
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(parsed->render(util::Json::object()).value(), std::string(10'000, '1'));
  EXPECT_FALSE(Template::parse(std::string(std::size_t{1} << 20, 'x')));
}

TEST(TemplateBudgetTest, DeepValuesAreRefusedBeforeTheyOverflowTheStack) {
  const Result<Template> parsed = Template::parse(
      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->render(util::Json::object()));
  const Result<Template> loops = Template::parse(
      "{% set ns = namespace(x=0) %}{% for i in range(100000) %}{% for j in [ns.x] %}{% set ns.x = loop %}{% "
      "endfor %}{% endfor %}");
  ASSERT_TRUE(loops);
  EXPECT_FALSE(loops->render(util::Json::object()));
}

TEST(TemplateBudgetTest, ValuesThatHoldThemselvesAreNoLeak) {
  for (const char* source :
       {"{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is defined }}",
        "{% for i in [1] %}{{ loop.changed(loop) }}{{ loop.changed(loop.changed) }}{% endfor %}",
        "{% set ns = namespace() %}{% macro m() %}x{% endmacro %}{% set ns.m = m %}{{ ns.m() }}"}) {
    const Result<Template> parsed = Template::parse(source);
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->render(util::Json::object())) << source;
  }
}

TEST(TemplateBudgetTest, BudgetsCanBeRaised) {
  const Result<Template> parsed = Template::parse(
      "{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(80) }}");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->render(util::Json::object()));
  RenderOptions options;
  options.depth = 100;
  EXPECT_TRUE(parsed->render(util::Json::object(), options));
}

}  // namespace
}  // namespace pensieve::model
