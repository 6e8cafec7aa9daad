// The grammar of statements.
#include "model/chat/jinja/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "model/chat/jinja/expression_parser.h"
#include "model/chat/jinja/failure.h"
#include "model/chat/jinja/token_stream.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

class StatementParser {
 public:
  StatementParser(std::vector<Token> tokens, Program& program)
      : tokens_(std::move(tokens)), expressions_(tokens_, program) {}

  Body parse_all() { return parse_body({}); }

 private:
  using Ends = std::initializer_list<std::string_view>;

  // Statements up to one of `ends`, whose name is the current token then (its "{%" is consumed); no `ends`:
  // to the end.
  Body parse_body(Ends ends) {
    const ExpressionParser::Nesting nesting(expressions_);
    Body body;
    while (!tokens_.is(TokenKind::end)) {
      const std::uint32_t line = tokens_.current().line;
      if (tokens_.is(TokenKind::data)) {
        body.push_back({line, DataStatement{Text(std::string(tokens_.next().lexeme))}});
      } else if (tokens_.is(TokenKind::variable_begin)) {
        tokens_.next();
        OutputStatement output;
        output.values.push_back(expressions_.parse_tuple());
        tokens_.expect(TokenKind::variable_end, "'}}'");
        body.push_back({line, std::move(output)});
      } else {
        tokens_.expect(TokenKind::block_begin, "a tag");
        if (!tokens_.is(TokenKind::name)) tokens_.fail_expected("the name of a tag");
        if (std::find(ends.begin(), ends.end(), tokens_.current().lexeme) != ends.end()) return body;
        body.push_back(parse_statement(line, ends));
      }
    }
    if (ends.size() > 0) tokens_.fail_expected(fmt::format("'{{% {} %}}'", *(ends.end() - 1)));
    return body;
  }

  Statement parse_statement(std::uint32_t line, Ends ends) {
    const std::string_view tag = tokens_.next().lexeme;
    if (tag == "if") return {line, parse_if()};
    if (tag == "for") return {line, parse_for()};
    if (tag == "set") return parse_set(line);
    if (tag == "macro") return {line, parse_macro()};
    if (tag == "call") return {line, parse_call_block()};
    if (tag == "filter") return {line, parse_filter_block()};
    if (tag == "with") return {line, parse_with()};
    if (tag == "generation") return {line, parse_scope("endgeneration")};
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) fail_syntax(line, fmt::format("'{}' outside of a loop", tag));
      end_tag();
      if (tag == "break") return {line, BreakStatement{}};
      return {line, ContinueStatement{}};
    }
    constexpr std::array<std::string_view, 5> kRefused{"include", "import", "from", "extends", "block"};
    if (std::find(kRefused.begin(), kRefused.end(), tag) != kRefused.end()) {
      fail_syntax(line, fmt::format("'{}' is not allowed: a chat template stands alone", tag));
    }
    if (ends.size() == 0) fail_syntax(line, fmt::format("unknown tag '{}'", excerpt(tag)));
    fail_syntax(line,
                fmt::format("unexpected tag '{}', expected '{}'", excerpt(tag), fmt::join(ends, "', '")));
  }

  void end_tag() { tokens_.expect(TokenKind::block_end, "'%}'"); }
  // The current token is the closing tag's name.
  void close() {
    tokens_.next();
    end_tag();
  }

  IfStatement parse_if() {
    IfStatement statement;
    while (true) {
      IfStatement::Branch branch;
      branch.condition = expressions_.parse_tuple();
      end_tag();
      branch.body = parse_body({"elif", "else", "endif"});
      statement.branches.push_back(std::move(branch));
      if (tokens_.skip_name("elif")) continue;
      if (tokens_.skip_name("else")) {
        end_tag();
        statement.otherwise = parse_body({"endif"});
      }
      close();
      return statement;
    }
  }

  ForStatement parse_for() {
    ForStatement statement;
    statement.loop = expressions_.intern("loop");
    statement.target = parse_target(false);
    tokens_.expect_name("in");
    statement.iterable = expressions_.parse_tuple(false);
    if (tokens_.skip_name("if")) statement.condition = expressions_.parse();
    statement.recursive = tokens_.skip_name("recursive");
    end_tag();
    ++loops_;
    statement.body = parse_body({"else", "endfor"});
    --loops_;
    if (tokens_.skip_name("else")) {
      end_tag();
      statement.otherwise = parse_body({"endfor"});
    }
    close();
    return statement;
  }

  Target parse_single_target(bool with_attribute) {
    const ExpressionParser::Nesting nesting(expressions_);
    Target target;
    if (tokens_.skip_symbol("(")) {
      target = parse_target(with_attribute);
      tokens_.expect_symbol(")");
      return target;
    }
    const std::uint32_t line = tokens_.current().line;
    const std::string_view name = tokens_.expect_identifier();
    constexpr std::array<std::string_view, 6> kConstants{"true", "false", "none", "True", "False", "None"};
    if (std::find(kConstants.begin(), kConstants.end(), name) != kConstants.end())
      fail_syntax(line, fmt::format("cannot assign to '{}'", name));
    target.name = expressions_.intern(name);
    if (with_attribute && tokens_.skip_symbol(".")) {
      target.form = Target::Form::attribute;
      target.attribute = Text(std::string(tokens_.expect_identifier()));
    }
    return target;
  }

  Target parse_target(bool with_attribute) {
    Target first = parse_single_target(with_attribute);
    if (!tokens_.is_symbol(",")) return first;
    Target tuple;
    tuple.form = Target::Form::tuple;
    tuple.parts.push_back(std::move(first));
    while (tokens_.skip_symbol(",")) {
      if (tokens_.is_name("in") || tokens_.is_symbol("=") || tokens_.is_symbol(")")) break;
      tuple.parts.push_back(parse_single_target(with_attribute));
    }
    return tuple;
  }

  Statement parse_set(std::uint32_t line) {
    Target target = parse_target(true);
    if (tokens_.skip_symbol("=")) {
      SetStatement statement{std::move(target), expressions_.parse_tuple()};
      end_tag();
      return {line, std::move(statement)};
    }
    SetBlockStatement statement;
    statement.target = std::move(target);
    if (tokens_.skip_symbol("|")) statement.filter = expressions_.parse_filter_chain();
    end_tag();
    statement.body = parse_body({"endset"});
    close();
    return {line, std::move(statement)};
  }

  Signature empty_signature() {
    return {{},
            expressions_.intern("varargs"),
            expressions_.intern("kwargs"),
            expressions_.intern("caller"),
            ListBuilder(nullptr).finish(ListForm::tuple),
            DictBuilder(nullptr).finish()};
  }

  Signature parse_signature() {
    Signature signature = empty_signature();
    tokens_.expect_symbol("(");
    while (!tokens_.skip_symbol(")")) {
      const std::uint32_t line = tokens_.current().line;
      const std::string_view name = tokens_.expect_identifier();
      Parameter parameter{expressions_.intern(name), Text(std::string(name)), nullptr};
      if (tokens_.skip_symbol("=")) {
        parameter.fallback = expressions_.parse();
      } else if (!signature.parameters.empty() && signature.parameters.back().fallback) {
        fail_syntax(line, fmt::format("parameter '{}' without a default follows one with a default", name));
      }
      signature.parameters.push_back(std::move(parameter));
      if (!tokens_.is_symbol(")")) tokens_.expect_symbol(",");
    }
    return signature;
  }

  Body parse_macro_body(std::string_view end) {
    const int outer = std::exchange(loops_, 0);  // break cannot leave a macro
    Body body = parse_body({end});
    loops_ = outer;
    close();
    return body;
  }

  MacroStatement parse_macro() {
    MacroStatement macro;
    const std::string_view name = tokens_.expect_identifier();
    macro.name = expressions_.intern(name);
    macro.text = Text(std::string(name));
    macro.signature = parse_signature();
    end_tag();
    macro.body = parse_macro_body("endmacro");
    return macro;
  }

  CallBlockStatement parse_call_block() {
    CallBlockStatement statement;
    statement.caller.name = expressions_.intern("caller");
    statement.caller.text = Text("caller");
    statement.caller.signature = tokens_.is_symbol("(") ? parse_signature() : empty_signature();
    const std::uint32_t line = tokens_.current().line;
    statement.call = expressions_.parse();
    if (statement.call->operation != Operation::call) fail_syntax(line, "expected a call after '{% call %}'");
    end_tag();
    statement.caller.body = parse_macro_body("endcall");
    return statement;
  }

  FilterBlockStatement parse_filter_block() {
    FilterBlockStatement statement;
    statement.filter = expressions_.parse_filter_chain();
    end_tag();
    statement.body = parse_body({"endfilter"});
    close();
    return statement;
  }

  ScopeStatement parse_scope(std::string_view end) {
    ScopeStatement statement;
    end_tag();
    statement.body = parse_body({end});
    close();
    return statement;
  }

  ScopeStatement parse_with() {
    std::vector<SetStatement> variables;
    while (!tokens_.is(TokenKind::block_end)) {
      if (!variables.empty()) tokens_.expect_symbol(",");
      Target target = parse_single_target(false);
      tokens_.expect_symbol("=");
      variables.push_back({std::move(target), expressions_.parse()});
    }
    ScopeStatement statement = parse_scope("endwith");
    statement.variables = std::move(variables);
    return statement;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;
};

}  // namespace

std::unique_ptr<const Program> parse_program(std::string_view source) {
  if (source.size() > kLargestSource) {
    fail_syntax(
        1, fmt::format("the template has {} bytes; at most {} are accepted", source.size(), kLargestSource));
  }
  auto program = std::make_unique<Program>();
  program->source =
      normalize_lines(util::valid_utf8(source) ? std::string(source) : util::repair_utf8(source));
  program->body = StatementParser(tokenize(program->source), *program).parse_all();
  return program;
}

}  // namespace pensieve::model::jinja
