// The grammar of operands: literals, names, brackets, and what may follow them (attributes, items, calls,
// filters, tests).
#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "model/chat/jinja/expression_parser.h"
#include "model/chat/jinja/failure.h"
#include "model/chat/jinja/filters.h"
#include "model/chat/jinja/predicates.h"

namespace pensieve::model::jinja {
namespace {

Value parse_real(const Token& token) {
  std::string digits(token.lexeme);
  std::erase(digits, '_');
  double value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc())
    return Value(value);
  // Beyond the range of a double: too small or too large, by the sign of the exponent.
  return Value(digits.find('-') != std::string::npos ? 0.0 : std::numeric_limits<double>::infinity());
}

Value parse_integer(const Token& token) {
  std::string digits(token.lexeme);
  std::erase(digits, '_');
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char kind = static_cast<char>(digits[1] | 0x20);
    base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    if (base != 10) digits.erase(0, 2);
  }
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (problem != std::errc() || end != digits.data() + digits.size()) {
    fail_syntax(token.line, fmt::format("'{}' is not an integer of at most 64 bits", excerpt(token.lexeme)));
  }
  return Value(value);
}

// Words that end a test's subject, so they are no argument of it: `x is defined and y`.
bool continues_expression(std::string_view word) {
  return word == "else" || word == "or" || word == "and" || word == "if" || word == "in" || word == "not" ||
         word == "is";
}

}  // namespace

ExpressionPtr ExpressionParser::parse_primary() {
  const Token& token = tokens_.current();
  switch (token.kind) {
    case TokenKind::text:
      return parse_text();
    case TokenKind::integer:
    case TokenKind::real:
      return parse_number();
    case TokenKind::symbol:
      if (token.lexeme == "(") return parse_parentheses();
      if (token.lexeme == "[") return parse_list();
      if (token.lexeme == "{") return parse_dict();
      break;
    case TokenKind::name: {
      Node node = start(Operation::constant);
      const std::string_view word = tokens_.next().lexeme;
      if (word == "true" || word == "True" || word == "false" || word == "False") {
        node->value = Value(word == "true" || word == "True");
      } else if (word == "none" || word == "None") {
        node->value = Value::none();
      } else {
        node->operation = Operation::name;
        node->name = intern(word);
      }
      return finish(std::move(node));
    }
    default:
      break;
  }
  tokens_.fail_expected("an expression");
}

ExpressionPtr ExpressionParser::parse_number() {
  Node node = start(Operation::constant);
  const Token& token = tokens_.next();
  node->value = token.kind == TokenKind::real ? parse_real(token) : parse_integer(token);
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_text() {
  Node node = start(Operation::constant);
  std::string value;
  while (tokens_.is(TokenKind::text)) value += decode_literal(tokens_.next());
  node->value = Value(Text(std::move(value)));
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_parentheses() {
  Node empty = start(Operation::tuple);
  tokens_.next();
  if (tokens_.skip_symbol(")")) return finish(std::move(empty));
  ExpressionPtr inside = parse_tuple();
  tokens_.expect_symbol(")");
  return inside;
}

ExpressionPtr ExpressionParser::parse_list() {
  Node node = start(Operation::list);
  tokens_.next();
  while (!tokens_.skip_symbol("]")) {
    add(*node, parse());
    if (!tokens_.is_symbol("]")) tokens_.expect_symbol(",");
  }
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_dict() {
  Node node = start(Operation::dict);
  tokens_.next();
  while (!tokens_.skip_symbol("}")) {
    add(*node, parse());
    tokens_.expect_symbol(":");
    add(*node, parse());
    if (!tokens_.is_symbol("}")) tokens_.expect_symbol(",");
  }
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr node) {
  while (true) {
    if (tokens_.is_symbol(".")) {
      node = parse_attribute(std::move(node));
    } else if (tokens_.is_symbol("[")) {
      node = parse_item(std::move(node));
    } else if (tokens_.is_symbol("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::parse_filters_and_tests(ExpressionPtr node) {
  while (true) {
    if (tokens_.skip_symbol("|")) {
      node = parse_filter(std::move(node));
    } else if (tokens_.skip_name("is")) {
      node = parse_test(std::move(node));
    } else if (tokens_.is_symbol("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::parse_attribute(ExpressionPtr object) {
  tokens_.next();
  if (tokens_.is(TokenKind::integer)) return binary(Operation::item, std::move(object), parse_number());
  Node node = wrap(Operation::attribute, std::move(object));
  node->value = Value(Text(std::string(tokens_.expect_identifier())));
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_slice_part() {
  return tokens_.is_symbol(":") || tokens_.is_symbol("]") ? nullptr : parse();
}

ExpressionPtr ExpressionParser::parse_item(ExpressionPtr object) {
  tokens_.next();
  Node node = wrap(Operation::item, std::move(object));
  if (!tokens_.is_symbol(":")) add(*node, parse_tuple());
  if (tokens_.is_symbol(":")) {
    node->operation = Operation::slice;
    if (node->operands.size() == 1) add(*node, nullptr);
    for (int part = 0; part < 2; ++part) add(*node, tokens_.skip_symbol(":") ? parse_slice_part() : nullptr);
  }
  tokens_.expect_symbol("]");
  return finish(std::move(node));
}

void ExpressionParser::parse_argument(Expression& owner, CallArguments& call) {
  const auto checked = [&](ExpressionPtr value) {
    owner.depth = std::max(owner.depth, value->depth + 1);
    return value;
  };
  if (tokens_.skip_symbol("**")) {
    if (call.named_spread) tokens_.fail_expected("only one '**' argument");
    call.named_spread = checked(parse());
  } else if (tokens_.skip_symbol("*")) {
    if (call.spread || call.named_spread) tokens_.fail_expected("only one '*' argument, before '**'");
    call.spread = checked(parse());
  } else if (tokens_.is(TokenKind::name) && tokens_.ahead().kind == TokenKind::symbol &&
             tokens_.ahead().lexeme == "=") {
    Text name{std::string(tokens_.next().lexeme)};
    tokens_.next();
    call.named.emplace_back(std::move(name), checked(parse()));
  } else {
    if (!call.named.empty() || call.spread || call.named_spread)
      tokens_.fail_expected("a named argument (positional ones come first)");
    call.positional.push_back(checked(parse()));
  }
}

std::unique_ptr<const CallArguments> ExpressionParser::parse_arguments(Expression& owner) {
  auto call = std::make_unique<CallArguments>();
  tokens_.expect_symbol("(");
  while (!tokens_.skip_symbol(")")) {
    parse_argument(owner, *call);
    if (!tokens_.is_symbol(")")) tokens_.expect_symbol(",");
  }
  return call;
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr callee) {
  Node node = wrap(Operation::call, std::move(callee));
  node->call = parse_arguments(*node);
  return finish(std::move(node));
}

std::string ExpressionParser::dotted_name() {
  std::string name(tokens_.expect_identifier());
  while (tokens_.skip_symbol(".")) name.append(".").append(tokens_.expect_identifier());
  return name;
}

ExpressionPtr ExpressionParser::parse_filter(ExpressionPtr input) {
  Node node = wrap(Operation::filter, std::move(input));
  std::string name = dotted_name();
  node->filter = find_filter(name);
  node->value = Value(Text(std::move(name)));
  node->call = tokens_.is_symbol("(") ? parse_arguments(*node) : std::make_unique<CallArguments>();
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_filter_chain() {
  ExpressionPtr node = parse_filter(nullptr);
  while (tokens_.skip_symbol("|")) node = parse_filter(std::move(node));
  return node;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr subject) {
  const std::uint32_t begin = subject->begin, line = subject->line;
  const bool negated = tokens_.skip_name("not");
  Node node = wrap(Operation::test, std::move(subject));
  std::string name = dotted_name();
  node->test = find_test(name);
  node->value = Value(Text(std::move(name)));
  const Token& token = tokens_.current();
  const bool operand = token.kind == TokenKind::text || token.kind == TokenKind::integer ||
                       token.kind == TokenKind::real ||
                       (token.kind == TokenKind::name && !continues_expression(token.lexeme)) ||
                       (token.kind == TokenKind::symbol && (token.lexeme == "[" || token.lexeme == "{"));
  if (tokens_.is_symbol("(")) {
    node->call = parse_arguments(*node);
  } else {
    auto call = std::make_unique<CallArguments>();
    if (operand) {
      call->positional.push_back(parse_postfix(parse_primary()));
      node->depth = std::max(node->depth, call->positional.back()->depth + 1);
    }
    node->call = std::move(call);
  }
  ExpressionPtr test = finish(std::move(node));
  if (!negated) return test;
  Node negation = wrap(Operation::logical_not, std::move(test));
  negation->begin = begin;
  negation->line = line;
  return finish(std::move(negation));
}

}  // namespace pensieve::model::jinja
