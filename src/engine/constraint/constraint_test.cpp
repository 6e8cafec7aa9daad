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
  EXPECT_THAT(why(Kind::regex, "((((a{99}){99}){99}){99}){99}"), testing::HasSubstr("too large"));
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

}  // namespace
}  // namespace pensieve::engine::constraint
