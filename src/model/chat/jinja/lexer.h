// Lexer: template source to tokens, with Jinja's white space rules under trim_blocks and lstrip_blocks.
// Not a parser: it knows delimiters and literals, no grammar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pensieve::model::jinja {

enum class TokenKind : std::uint8_t {
  data,            // literal output, white space control applied
  variable_begin,  // {{
  variable_end,
  block_begin,  // {%
  block_end,
  name,
  text,  // quoted; the lexeme includes the quotes
  integer,
  real,
  symbol,  // operator or bracket
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view lexeme;  // into the source
  std::uint32_t line = 1;
  std::uint32_t begin = 0, end = 0;  // byte offsets in the source
};

// Line ends become "\n", one at the very end is dropped.
std::string normalize_lines(std::string_view source);

// `source` is normalized and outlives the tokens. Fails with line and what was found.
std::vector<Token> tokenize(std::string_view source);

// The value of a quoted literal: escapes decoded as in Python.
std::string decode_literal(const Token& token);

}  // namespace pensieve::model::jinja
