// TokenStream: the parser's view of the tokens, with one error message for everything unexpected.
#pragma once

#include <string_view>
#include <vector>

#include "model/chat/jinja/lexer.h"

namespace pensieve::model::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  const Token& next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  std::uint32_t last_end() const { return at_ == 0 ? 0 : tokens_[at_ - 1].end; }

  bool is(TokenKind kind) const { return current().kind == kind; }
  bool is_symbol(std::string_view symbol) const {
    return is(TokenKind::symbol) && current().lexeme == symbol;
  }
  bool is_name(std::string_view name) const { return is(TokenKind::name) && current().lexeme == name; }
  bool skip_symbol(std::string_view symbol) { return is_symbol(symbol) && (next(), true); }
  bool skip_name(std::string_view name) { return is_name(name) && (next(), true); }

  void expect_symbol(std::string_view symbol);
  void expect_name(std::string_view name);
  void expect(TokenKind kind, std::string_view what);
  std::string_view expect_identifier();
  [[noreturn]] void fail_expected(std::string_view what) const;

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace pensieve::model::jinja
