// TokenStream's messages.
#include "model/chat/jinja/token_stream.h"

#include <fmt/format.h>

#include "model/chat/jinja/failure.h"

namespace pensieve::model::jinja {

void TokenStream::fail_expected(std::string_view what) const {
  if (is(TokenKind::end))
    fail_syntax(current().line, fmt::format("unexpected end of template, expected {}", what));
  fail_syntax(current().line, fmt::format("unexpected '{}', expected {}", excerpt(current().lexeme), what));
}

void TokenStream::expect_symbol(std::string_view symbol) {
  if (!skip_symbol(symbol)) fail_expected(fmt::format("'{}'", symbol));
}

void TokenStream::expect_name(std::string_view name) {
  if (!skip_name(name)) fail_expected(fmt::format("'{}'", name));
}

void TokenStream::expect(TokenKind kind, std::string_view what) {
  if (!is(kind)) fail_expected(what);
  next();
}

std::string_view TokenStream::expect_identifier() {
  if (!is(TokenKind::name)) fail_expected("a name");
  return next().lexeme;
}

}  // namespace pensieve::model::jinja
