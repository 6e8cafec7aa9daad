// The grammar of expressions: operators, from the loosest binding to the tightest. Operands are in
// primary_parser.cpp.
#include "model/chat/jinja/expression_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "model/chat/jinja/failure.h"

namespace pensieve::model::jinja {
namespace {

constexpr std::uint32_t kDeepestNesting = 100;     // brackets, blocks, chains of unary operators
constexpr std::uint32_t kDeepestExpression = 400;  // levels of a tree; `a + b + c` has two

struct NamedOperation {
  std::string_view symbol;
  Operation operation;
};
constexpr std::array<NamedOperation, 2> kSums{{{"+", Operation::add}, {"-", Operation::subtract}}};
constexpr std::array<NamedOperation, 4> kProducts{{{"*", Operation::multiply},
                                                   {"/", Operation::divide},
                                                   {"//", Operation::floor_divide},
                                                   {"%", Operation::modulo}}};

struct NamedComparison {
  std::string_view symbol;
  Comparison comparison;
};
constexpr std::array<NamedComparison, 6> kComparisons{{{"==", Comparison::equal},
                                                       {"!=", Comparison::not_equal},
                                                       {"<", Comparison::less},
                                                       {"<=", Comparison::less_equal},
                                                       {">", Comparison::greater},
                                                       {">=", Comparison::greater_equal}}};

template <class Table>
const typename Table::value_type* find_symbol(const Table& table, const TokenStream& tokens) {
  if (!tokens.is(TokenKind::symbol)) return nullptr;
  const auto at = std::find_if(table.begin(), table.end(),
                               [&](const auto& entry) { return entry.symbol == tokens.current().lexeme; });
  return at == table.end() ? nullptr : &*at;
}

std::optional<Comparison> next_comparison(TokenStream& tokens) {
  if (const NamedComparison* found = find_symbol(kComparisons, tokens)) {
    tokens.next();
    return found->comparison;
  }
  if (tokens.skip_name("in")) return Comparison::in;
  if (tokens.is_name("not") && tokens.ahead().kind == TokenKind::name && tokens.ahead().lexeme == "in") {
    tokens.next();
    tokens.next();
    return Comparison::not_in;
  }
  return std::nullopt;
}

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.nesting_ > kDeepestNesting) {
    --parser_.nesting_;
    fail_syntax(parser_.tokens_.current().line,
                fmt::format("the template nests deeper than {} levels", kDeepestNesting));
  }
}

NameId ExpressionParser::intern(std::string_view name) {
  const auto at = names_.find(name);
  if (at != names_.end()) return at->second;
  const auto id = static_cast<NameId>(program_.names.size());
  program_.names.emplace_back(name);
  names_.emplace(name, id);
  return id;
}

ExpressionParser::Node ExpressionParser::start(Operation operation) const {
  auto node = std::make_unique<Expression>();
  node->operation = operation;
  node->line = tokens_.current().line;
  node->begin = tokens_.current().begin;
  return node;
}

void ExpressionParser::add(Expression& node, ExpressionPtr operand) const {
  if (operand) {
    node.depth = std::max(node.depth, operand->depth + 1);
    if (node.depth > kDeepestExpression)
      fail_syntax(node.line, "an expression is too long; split it with {% set %}");
  }
  node.operands.push_back(std::move(operand));
}

ExpressionParser::Node ExpressionParser::wrap(Operation operation, ExpressionPtr operand) const {
  Node node = start(operation);
  if (operand) {
    node->line = operand->line;
    node->begin = operand->begin;
  }
  add(*node, std::move(operand));
  return node;
}

ExpressionPtr ExpressionParser::finish(Node node) const {
  node->end = tokens_.last_end();
  return node;
}

ExpressionPtr ExpressionParser::binary(Operation operation, ExpressionPtr left, ExpressionPtr right) const {
  Node node = wrap(operation, std::move(left));
  add(*node, std::move(right));
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_tuple(bool with_conditional) {
  Node tuple = start(Operation::tuple);
  const auto one = [&] { return with_conditional ? parse() : parse_without_conditional(); };
  ExpressionPtr first = one();
  if (!tokens_.is_symbol(",")) return first;
  add(*tuple, std::move(first));
  while (tokens_.skip_symbol(",")) {
    const bool ends = tokens_.is(TokenKind::block_end) || tokens_.is(TokenKind::variable_end) ||
                      tokens_.is_symbol(")") || tokens_.is_symbol("=") || tokens_.is_name("recursive");
    if (ends) break;
    add(*tuple, one());
  }
  return finish(std::move(tuple));
}

ExpressionPtr ExpressionParser::parse_conditional() {
  const Nesting nesting(*this);
  ExpressionPtr value = parse_or();
  while (tokens_.skip_name("if")) {
    Node node = wrap(Operation::conditional, std::move(value));
    add(*node, parse_or());
    add(*node, tokens_.skip_name("else") ? parse_conditional() : nullptr);
    value = finish(std::move(node));
  }
  return value;
}

ExpressionPtr ExpressionParser::parse_or() {
  ExpressionPtr left = parse_and();
  while (tokens_.skip_name("or")) left = binary(Operation::logical_or, std::move(left), parse_and());
  return left;
}

ExpressionPtr ExpressionParser::parse_and() {
  ExpressionPtr left = parse_not();
  while (tokens_.skip_name("and")) left = binary(Operation::logical_and, std::move(left), parse_not());
  return left;
}

ExpressionPtr ExpressionParser::parse_not() {
  if (!tokens_.is_name("not")) return parse_compare();
  const Nesting nesting(*this);
  Node node = start(Operation::logical_not);
  tokens_.next();
  add(*node, parse_not());
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_compare() {
  ExpressionPtr first = parse_sum();
  std::optional<Comparison> comparison = next_comparison(tokens_);
  if (!comparison) return first;
  Node node = wrap(Operation::compare, std::move(first));
  for (; comparison; comparison = next_comparison(tokens_)) {
    node->comparisons.push_back(*comparison);
    add(*node, parse_sum());
  }
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_sum() {
  ExpressionPtr left = parse_concat();
  while (const NamedOperation* found = find_symbol(kSums, tokens_)) {
    tokens_.next();
    left = binary(found->operation, std::move(left), parse_concat());
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_concat() {
  ExpressionPtr first = parse_product();
  if (!tokens_.is_symbol("~")) return first;
  Node node = wrap(Operation::concat, std::move(first));
  while (tokens_.skip_symbol("~")) add(*node, parse_product());
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::parse_product() {
  ExpressionPtr left = parse_power();
  while (const NamedOperation* found = find_symbol(kProducts, tokens_)) {
    tokens_.next();
    left = binary(found->operation, std::move(left), parse_power());
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_power() {
  ExpressionPtr left = parse_unary();
  while (tokens_.skip_symbol("**")) left = binary(Operation::power, std::move(left), parse_unary());
  return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool with_filters) {
  ExpressionPtr value;
  if (tokens_.is_symbol("-") || tokens_.is_symbol("+")) {
    const Nesting nesting(*this);
    Node node = start(tokens_.is_symbol("-") ? Operation::negate : Operation::positive);
    tokens_.next();
    add(*node, parse_unary(false));
    value = finish(std::move(node));
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filters_and_tests(std::move(value)) : std::move(value);
}

}  // namespace pensieve::model::jinja
