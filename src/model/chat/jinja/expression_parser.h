// ExpressionParser: the grammar of expressions, with Jinja's precedences (which differ from Python's in
// places: power binds to the left, `-1 | abs` filters the negated value).
#pragma once

#include <map>
#include <string_view>

#include "model/chat/jinja/syntax.h"
#include "model/chat/jinja/token_stream.h"

namespace pensieve::model::jinja {

class ExpressionParser {
 public:
  ExpressionParser(TokenStream& tokens, Program& program) : tokens_(tokens), program_(program) {}

  ExpressionPtr parse() { return parse_conditional(); }
  // Without an inline if: its "if" belongs to the statement.
  ExpressionPtr parse_without_conditional() { return parse_or(); }
  // `a, b, c` as a tuple, a single expression as itself.
  ExpressionPtr parse_tuple(bool with_conditional = true);
  // name | name(arguments) ... applied to what a block yields; the first token is the filter's name.
  ExpressionPtr parse_filter_chain();
  NameId intern(std::string_view name);

  // Fails when the template nests deeper than the evaluator may recurse.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

 private:
  using Node = std::unique_ptr<Expression>;
  Node start(Operation operation) const;
  // Takes over the operand's place in the source as the node's beginning.
  Node wrap(Operation operation, ExpressionPtr operand) const;
  void add(Expression& node, ExpressionPtr operand) const;
  ExpressionPtr finish(Node node) const;
  ExpressionPtr binary(Operation operation, ExpressionPtr left, ExpressionPtr right) const;

  ExpressionPtr parse_conditional();
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_compare();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concat();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filters = true);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_number();
  ExpressionPtr parse_text();
  ExpressionPtr parse_parentheses();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr node);
  ExpressionPtr parse_filters_and_tests(ExpressionPtr node);
  ExpressionPtr parse_attribute(ExpressionPtr object);
  ExpressionPtr parse_item(ExpressionPtr object);
  ExpressionPtr parse_slice_part();
  ExpressionPtr parse_call(ExpressionPtr callee);
  ExpressionPtr parse_filter(ExpressionPtr input);
  ExpressionPtr parse_test(ExpressionPtr subject);
  std::unique_ptr<const CallArguments> parse_arguments(Expression& owner);
  void parse_argument(Expression& owner, CallArguments& call);
  std::string dotted_name();

  TokenStream& tokens_;
  Program& program_;
  std::map<std::string, NameId, std::less<>> names_;
  std::uint32_t nesting_ = 0;
};

}  // namespace pensieve::model::jinja
