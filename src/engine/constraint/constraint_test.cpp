// What constraints allow: verdicts on texts, refusals, and masks over a vocabulary that agree with the
// verdicts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/constraint/matcher.h"

namespace pensieve::engine::constraint {
namespace {

using Kind = Constraint::Kind;

// All single bytes that text has, some longer pieces, a control token and an end token.
class PieceTokenizer final : public Tokenizer {
 public:
  PieceTokenizer() {
    for (int byte = 0; byte < 256; ++byte) pieces_.emplace_back(1, static_cast<char>(byte));
    for (const char* piece :
         {"{\"", "\":", "\", \"", "ab", "abc", "  ", "123", "true", "é", "日本", "<call>", "</s>"})
      pieces_.emplace_back(piece);
  }
  void encode(std::string_view, EncodeOptions, std::vector<std::int32_t>&) const override {}
  std::string_view bytes(std::int32_t token, bool show_special) const override {
    return is_control(token) && !show_special ? std::string_view()
                                              : std::string_view(pieces_[static_cast<std::size_t>(token)]);
  }
  std::string decode(const std::vector<std::int32_t>&, bool) const override { return {}; }
  std::int32_t vocabulary() const override { return static_cast<std::int32_t>(pieces_.size()); }
  bool is_end(std::int32_t token) const override { return token == vocabulary() - 1; }
  bool is_control(std::int32_t token) const override { return token >= vocabulary() - 2; }
  std::int32_t begin_token() const override { return -1; }
  std::int32_t end_token() const override { return vocabulary() - 1; }

 private:
  std::vector<std::string> pieces_;
};

std::string verdict(Machine& machine, std::string_view text) {
  State state = machine.start();
  for (const char c : text) state = machine.next(state, static_cast<std::uint8_t>(c));
  return state == kDead ? "reject" : machine.may_end(state) ? "accept" : "prefix";
}

struct Case {
  Kind kind;
  const char* source;
  std::vector<const char*> accept, prefix, reject;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {Kind::regex, "a{2,3}|b+", {"aa", "aaa", "b", "bbb"}, {"", "a"}, {"aaaa", "ab", "c"}},
      {Kind::regex, "[^a-c]\\d\\.", {"é1.", "z9."}, {"é", "x1"}, {"a1.", "x1x"}},
      {Kind::regex, "(?i)ab$", {"Ab"}, {"a"}, {"abc"}},
      {Kind::json_object, "", {"{}", R"({"a": [1, null]})"}, {"{", "{\"a\""}, {"[", "1", "{a"}},
      {Kind::json_schema,
       R"({"type":"integer","minimum":-3,"maximum":27})",
       {"-3", "0", "27", "9"},
       {"-"},
       {"-4", "28", "270", "1."}},
      {Kind::json_schema,
       R"({"type":"number","exclusiveMinimum":0,"maximum":2.5})",
       {"0.1", "2.5", "2.50"},
       {"0", "0.0"},
       {"2.51", "-1", "3"}},
      {Kind::json_schema,
       R"({"type":"string","pattern":"^[a-z]+$","minLength":2,"maxLength":3})",
       {"\"ab\"", "\"abc\""},
       {"\"a"},
       {"\"a\"", "\"abcd", "\"A"}},
      {Kind::json_schema,
       R"({"type":"string","format":"date"})",
       {"\"2024-02-29\""},
       {"\"2024-"},
       {"\"2023-02-29", "\"2024-13"}},
      {Kind::json_schema,
       R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"],"additionalProperties":{"type":"null"}})",
       {R"({"a": 1})", R"({"a":1,"b":"x"})", R"({"a":1,"c":null})", "{\n  \"a\": 1\n}"},
       {R"({"a")", R"({"a":1,"ab)"},
       {"{}", R"({"b")", R"({"a":1,"c":1)", R"({"a":1,"b":null)"}},
      {Kind::json_schema,
       R"({"type":"array","prefixItems":[{"const":1}],"items":{"type":"boolean"},"minItems":1,"maxItems":2})",
       {"[1]", "[1, true]"},
       {"[", "[1,"},
       {"[]", "[2", "[1, true,"}},
      {Kind::json_schema,
       R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"n":{"$ref":"#/$defs/n"}},"additionalProperties":false}}})",
       {"{}", R"({"n":{"n":{}}})"},
       {R"({"n":{)"},
       {R"({"n":1)", R"({"m")"}},
      {Kind::json_schema,
       R"({"allOf":[{"type":"integer"},{"minimum":2}],"anyOf":[{"maximum":3},{"const":9}]})",
       {"2", "3", "9"},
       {""},
       {"1", "4", "33"}},
      {Kind::json_schema, R"({"oneOf":[{"type":"string"},{"type":"null"}]})", {"null", "\"\""}, {"n"}, {"1"}},
      {Kind::json_schema,
       R"({"patternProperties":{"^x":{"type":"integer"}},"additionalProperties":false,"type":"object"})",
       {R"({"x":1})", R"({"xy":1})"},
       {R"({"x)"},
       {R"({"y")", R"({"x":"")"}},
      {Kind::gbnf,
       "root ::= \"(\" root \")\" | [0-9]{1,2} # pairs\n",
       {"1", "((12))"},
       {"((1"},
       {"123", "()"}},
      {Kind::gbnf,
       "root ::= a \"y\" | a \"z\"\na ::= \"(\" a \")\" | \"x\"\n",
       {"((((((((((((((((x))))))))))))))))z"},
       {"(((("},
       {"(x)x"}},
      {Kind::lark,
       "start: A (\",\" A)*\nA: /[a-z]+/\n%ignore \" \"\n",
       {"a", "a, b ,c"},
       {"a,"},
       {"1", "a,,"}},
  };
  return all;
}

TEST(Constraint, Verdicts) {
  for (const Case& one : cases()) {
    const Result<Program> program = compile(Constraint{one.kind, one.source});
    ASSERT_TRUE(program) << one.source << ": " << program.error().what;
    Machine machine(program->graph, program->root);
    for (const char* text : one.accept)
      EXPECT_EQ(verdict(machine, text), "accept") << one.source << "\n" << text;
    for (const char* text : one.prefix)
      EXPECT_EQ(verdict(machine, text), "prefix") << one.source << "\n" << text;
    for (const char* text : one.reject)
      EXPECT_EQ(verdict(machine, text), "reject") << one.source << "\n" << text;
  }
}

TEST(Constraint, WhatCannotBeEnforcedIsRefusedByName) {
  const auto why = [](Kind kind, const char* source) {
    const Result<Program> program = compile(Constraint{kind, source});
    return program ? std::string() : program.error().what;
  };
  EXPECT_THAT(why(Kind::json_schema, R"({"not":{}})"), testing::HasSubstr("'not'"));
  EXPECT_THAT(why(Kind::json_schema, R"({"type":"objekt"})"), testing::HasSubstr("objekt"));
  EXPECT_THAT(why(Kind::json_schema, R"({"$ref":"#/nowhere"})"), testing::HasSubstr("#/nowhere"));
  EXPECT_THAT(why(Kind::json_schema, "{"), testing::HasSubstr("not valid JSON"));
  EXPECT_THAT(why(Kind::regex, "(a)\\1"), testing::HasSubstr("\\1"));
  EXPECT_THAT(why(Kind::regex, "a(?=b)"), testing::HasSubstr("look-around"));
  EXPECT_THAT(why(Kind::regex, "("), testing::HasSubstr("never closed"));
  EXPECT_THAT(why(Kind::gbnf, "root ::= root \"a\" | \"b\"\n"), testing::HasSubstr("left-recursive"));
  EXPECT_THAT(why(Kind::gbnf, "root ::= other\n"), testing::HasSubstr("'other'"));
  EXPECT_THAT(why(Kind::gbnf, "root ::= \"a\" root\n"), testing::HasSubstr("nothing can satisfy"));
  EXPECT_THAT(why(Kind::lark, "begin: \"a\"\n"), testing::HasSubstr("'start'"));
  EXPECT_THAT(why(Kind::regex, "((((a{99}){99}){99}){99}){99}"), testing::HasSubstr("too "));
  EXPECT_THAT(why(Kind::regex, "(.*a.{30}){2}b"), testing::HasSubstr("too complex"));
}

// The mask allows a token exactly when the text with it is not rejected; walks at random.
TEST(Constraint, MasksAgreeWithVerdicts) {
  const PieceTokenizer tokenizer;
  const TokenTrie trie(tokenizer);
  std::mt19937 random(7);
  for (const Case& one : cases()) {
    const Program program = compile(Constraint{one.kind, one.source}).value();
    Machine machine(program.graph, program.root);
    const auto automaton = std::make_shared<Automaton>(program, trie);
    for (int walk = 0; walk < 5; ++walk) {
      Matcher matcher(automaton);
      std::string text;
      for (int step = 0; step < 12 && !matcher.must_end(); ++step) {
        const Result<std::span<const std::uint64_t>> mask = matcher.allowed();
        ASSERT_TRUE(mask);
        std::vector<std::int32_t> possible;
        for (std::int32_t token = 0; token < tokenizer.vocabulary() - 2; ++token) {
          const auto index = static_cast<std::size_t>(token);
          const bool allowed = ((*mask)[index / 64] >> (index % 64) & 1U) != 0;
          EXPECT_EQ(allowed, verdict(machine, text + std::string(tokenizer.bytes(token, false))) != "reject")
              << one.source << "\n"
              << text << "\n"
              << token;
          if (allowed) possible.push_back(token);
        }
        const auto end = static_cast<std::size_t>(tokenizer.end_token());
        EXPECT_EQ(((*mask)[end / 64] >> (end % 64) & 1U) != 0, verdict(machine, text) == "accept");
        if (possible.empty()) break;
        const std::int32_t token = possible[random() % possible.size()];
        text += tokenizer.bytes(token, false);
        ASSERT_TRUE(matcher.accept(token).value());
      }
    }
  }
}

TEST(Constraint, ThinkingComesFirstAndControlTokensCountOnlyAsTheFormatsOwnText) {
  const PieceTokenizer tokenizer;
  const TokenTrie trie(tokenizer);
  AnswerForm form;
  form.calls =
      AnswerForm::Calls{{{"f", "", R"({"type":"object","additionalProperties":false})", false}}, false};
  form.form = {"", "<call>", "", "(", ")", "", ""};
  form.thinking = ThinkingForm{"<t>", "</t>", true};
  form.controls = trie.controls();
  const Program program = compile(form).value();
  Machine machine(program.graph, program.root);
  EXPECT_EQ(verdict(machine, "hm </t> f({})"), "reject");
  EXPECT_EQ(verdict(machine, "hm <call> </t"), "prefix");
  EXPECT_EQ(verdict(machine, "hm</t>\n<call>f({})"), "accept");
  EXPECT_EQ(verdict(machine, std::string("hm</t>") + kControl + "<call>f({})"), "accept");
  EXPECT_EQ(verdict(machine, std::string("hm") + kControl + "<call>"), "reject");
}

// What hostile clients send: repetitions of repetitions, many patterns, many names. Each is refused, and none
// does more than the work that is allowed.
TEST(Constraint, CompilationIsBounded) {
  const auto refused = [](Kind kind, const std::string& source) {
    const auto program = compile(Constraint{kind, source});
    return !program && program.error().what.find("too ") != std::string::npos;
  };
  EXPECT_TRUE(refused(Kind::json_schema, R"({"type":"string","pattern":"(a{1,300}){1,300}"})"));
  EXPECT_TRUE(refused(Kind::json_schema, R"({"type":"string","pattern":"(a{1,1000}){1,1000}"})"));
  EXPECT_TRUE(refused(Kind::regex, "(.*a.{30}){2}b"));
  std::string many = R"({"type":"object","properties":{)", values = R"({"pattern":"^(x|y){1,40}$","enum":[)";
  for (int i = 0; i < 2000; ++i) {
    const std::string number = std::to_string(i), comma = i > 0 ? "," : "";
    many += comma + "\"p" + number + R"(":{"type":"string","pattern":"^[a-z]{1,50})" + number + "$\"}";
    values += comma + "\"v" + number + "\"";
  }
  EXPECT_TRUE(refused(Kind::json_schema, many + "}}"));
  EXPECT_TRUE(refused(Kind::json_schema, values + "]}"));
  EXPECT_TRUE(refused(Kind::gbnf, "root ::= ((\"a\"{1,900}){1,900}){1,900}\n"));
}

TEST(Constraint, OrdinaryConstraintsAreFarFromTheBound) {
  std::string object = R"({"type":"object","properties":{)";
  for (int i = 0; i < 100; ++i)
    object += (i > 0 ? ",\"property_" : "\"property_") + std::to_string(i) + R"(":{"type":"string"})";
  for (const std::string& schema :
       {object + "}}", std::string(R"({"type":"string","format":"email","maxLength":50})"),
        std::string(R"({"type":"string","pattern":"^[a-z]+$","maxLength":100})"),
        std::string(R"({"type":"string","pattern":"^[a-zA-Z0-9_.-]{1,64}$"})")}) {
    const auto program = compile(Constraint{Constraint::Kind::json_schema, schema});
    ASSERT_TRUE(program) << program.error().what;
    EXPECT_LT(program->graph->work()->spent(), Work::kMostSteps / 2) << schema;
  }
}

AnswerForm free_form(EnforcedForm form) {
  AnswerForm answer;
  answer.form = std::move(form);
  answer.free = true;
  answer.calls = AnswerForm::Calls{
      {{"f", "",
        R"({"type":"object","properties":{"n":{"const":1}},"required":["n"],"additionalProperties":false})",
        true},
       {"loose", "", R"({"type":"object","properties":{"n":{"const":1}}})", false}},
      false};
  return answer;
}

TEST(Constraint, FreeRepliesAreTextUntilTheyBeginACall) {
  AnswerForm form = free_form({"", "<call>", "{\"name\":\"", "\",\"arguments\":", "}", ",", "</call>"});
  form.form.openers = {"<call>", "<other>"};
  const Program program = compile(form).value();
  Machine machine(program.graph, program.root);
  const auto judged = [&](const std::string& text) { return verdict(machine, text); };
  EXPECT_EQ(judged("just text, {\"name\":\"f\"} <cal"), "accept");
  EXPECT_EQ(judged("so <call>"), "prefix");
  EXPECT_EQ(judged(R"(so <call>{"name":"f","arguments":{"n":1}}</call>)"), "accept");
  EXPECT_EQ(judged(R"(so <call>{"name":"f","arguments":{"n":2)"), "reject");
  EXPECT_EQ(judged(R"(so <call>{"name":"loose","arguments":{"n":2}}</call>)"), "accept") << "not strict";
  EXPECT_EQ(judged(R"(<call>{"name":"g)"), "reject");
  EXPECT_EQ(judged(R"(<call>{"name":"f","arguments":{"n":1}},{)"), "reject") << "one call only";
  EXPECT_EQ(judged(R"(<call>{"name":"f","arguments":{"n":1}}</call> and)"), "reject");
  EXPECT_EQ(judged("<other>"), "reject") << "an opener whose calls cannot be enforced";
  EXPECT_EQ(judged(std::string("so ") + kControl + "<call>"), "prefix");
  EXPECT_EQ(judged(std::string("so ") + kControl + R"(<call>{"name":"g)"), "reject");
  EXPECT_EQ(judged(std::string("so ") + kControl + "<|any|>"), "accept") << "other control tokens are free";
}

TEST(Constraint, BareCallsAreEnforcedFromTheirFirstByte) {
  AnswerForm form = free_form({"", "", "{\"name\": \"", "\", \"parameters\": ", "}", "", ""});
  form.form.bare = true;
  form.thinking = ThinkingForm{"<t>", "</t>", false};
  const Program program = compile(form).value();
  Machine machine(program.graph, program.root);
  const auto judged = [&](const std::string& text) { return verdict(machine, text); };
  EXPECT_EQ(judged("text {\"name\": 1}"), "accept") << "not at the beginning";
  EXPECT_EQ(judged(R"({"answer": 1})"), "accept");
  EXPECT_EQ(judged(R"({"name": "f", "parameters": {"n":1}})"), "accept");
  EXPECT_EQ(judged(R"({"name": "f", "parameters": {"n":2)"), "reject");
  EXPECT_EQ(judged(R"({"parameters": {"n":2)"), "reject");
  EXPECT_EQ(judged("```json\n[{\"name\""), "reject");
  EXPECT_EQ(judged("```json\n[1, 2]```"), "accept");
  EXPECT_EQ(judged(R"(<t>hm</t>{"name": "f", "parameters": {"n":1}})"), "accept");
  EXPECT_EQ(judged(R"(<t>hm</t>{"name": "f", "parameters": {"n":2)"), "reject");
  EXPECT_EQ(judged("<t>hm</t>hello"), "accept");
}

TEST(Constraint, ParametersWrittenOneByOneAreEnforcedToo) {
  AnswerForm form = free_form({});
  form.calls->tools = {
      {"f", "",
       R"({"type":"object","properties":{"s":{"type":"string"},"n":{"type":["integer","null"]},"e":{"enum":["x",3]}},
           "required":["s","n"]})",
       true},
      {"loose", "", R"({"type":"object"})", false}};
  form.form.openers = {"<call>", "<fn="};
  form.form.parameters =
      ParameterForm{"", "<call>\n<fn=", ">\n", "<p=", ">\n", "", "\n</p>\n", "</fn>", "", ""};
  const Program program = compile(form).value();
  Machine machine(program.graph, program.root);
  const auto judged = [&](const std::string& text) { return verdict(machine, text); };
  const std::string f = "a <call>\n<fn=f>\n", s = "<p=s>\nline\n\n</x\n</p>\n", n = "<p=n>\n-3\n</p>\n";
  EXPECT_EQ(judged(f + s + n + "</fn>"), "accept");
  EXPECT_EQ(judged(f + s + n + "<p=e>\nx\n</p>\n</fn>"), "accept");
  EXPECT_EQ(judged(f + s + n + "<p=e>\n3\n</p>\n</fn>"), "accept");
  EXPECT_EQ(judged(f + s + "</fn>"), "reject") << "n is required";
  EXPECT_EQ(judged(f + s + "<p=n>\nmany"), "reject");
  EXPECT_EQ(judged(f + s + n + "<p=e>\ny"), "reject");
  EXPECT_EQ(judged(f + "<p=other>"), "reject");
  EXPECT_EQ(judged(f + "<p=s>\na</p>"), "reject") << "its reader would stop there";
  EXPECT_EQ(judged("<call>\n<fn=loose>\n<p=anything>\n1\n</p>\n</fn>"), "accept");
  EXPECT_EQ(judged("<call>\n<fn=g"), "reject");
}

TEST(Constraint, AFormThatCannotBeWatchedIsRefused) {
  AnswerForm form = free_form({"", "", "{\"name\": \"", "\", \"arguments\": ", "}", "", ""});
  form.form.openers = {"<call>"};
  const auto program = compile(form);
  ASSERT_FALSE(program);
  EXPECT_THAT(program.error().what, testing::HasSubstr("strict"));
}

TEST(Constraint, TheEndOfThinkingMayBeSeveralControlTokens) {
  AnswerForm form;
  form.content = Constraint{Constraint::Kind::regex, "ok"};
  form.form.content = "<c>";
  form.thinking = ThinkingForm{"<t>", "<e><s>me", true};
  form.controls = {"<e>", "<s>", "<c>"};
  const Program program = compile(form).value();
  Machine machine(program.graph, program.root);
  const std::string e = kControl + std::string("<e>"), s = kControl + std::string("<s>"),
                    c = kControl + std::string("<c>");
  EXPECT_EQ(verdict(machine, std::string("hm") + e + s + "me" + c + "ok"), "accept");
  EXPECT_EQ(verdict(machine, "hm<e><s>me<c>ok"), "accept");
  EXPECT_EQ(verdict(machine, std::string("hm") + e + "x"), "reject")
      << "once begun, the end is written whole";
  EXPECT_EQ(verdict(machine, std::string("hm") + s), "reject");
}

}  // namespace
}  // namespace pensieve::engine::constraint
