// Lexer. White space: "-" strips everything on that side; without a sign, a block or comment alone at the
// start of a line loses the blanks before it (lstrip_blocks) and the line end after it (trim_blocks); "+"
// keeps both.
#include "model/chat/jinja/lexer.h"

#include <fmt/format.h>

#include <array>

#include "model/chat/jinja/characters.h"
#include "model/chat/jinja/failure.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

constexpr std::array<std::string_view, 26> kSymbols{"//", "**", "==", "!=", ">=", "<=", "+", "-", "*",
                                                    "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                    ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) lex_outside();
    push(TokenKind::end, source_.size(), source_.size());
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) { fail_syntax(line_at(at_), what); }

  std::uint32_t line_at(std::size_t position) {
    for (; counted_ < position; ++counted_) line_ += source_[counted_] == '\n';
    return line_;
  }

  void push(TokenKind kind, std::size_t begin, std::size_t end) {
    tokens_.push_back({kind, source_.substr(begin, end - begin), line_at(begin),
                       static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
  }

  char peek(std::size_t offset = 0) const {
    return at_ + offset < source_.size() ? source_[at_ + offset] : '\0';
  }
  bool ahead(std::string_view text) const { return source_.substr(at_, text.size()) == text; }

  std::size_t next_tag() const {
    for (std::size_t place = source_.find('{', at_); place != std::string_view::npos;
         place = source_.find('{', place + 1)) {
      const char mark = place + 1 < source_.size() ? source_[place + 1] : '\0';
      if (mark == '{' || mark == '%' || mark == '#') return place;
    }
    return source_.size();
  }

  void push_data(std::size_t begin, std::size_t end) {
    if (begin < end) push(TokenKind::data, begin, end);
  }

  // Where the literal text before the tag at `tag` ends, given the tag's sign.
  std::size_t data_end(std::size_t begin, std::size_t tag, char sign, bool variable) const {
    if (sign == '-') return begin + strip(source_.substr(begin, tag - begin), {}, Side::right).end;
    if (sign == '+' || variable) return tag;
    const std::size_t newline = source_.substr(begin, tag - begin).rfind('\n');
    if (newline == std::string_view::npos && !line_start_) return tag;
    const std::size_t line = newline == std::string_view::npos ? begin : begin + newline + 1;
    const std::string_view before = source_.substr(line, tag - line);
    return strip(before, {}, Side::left).begin == before.size() ? line : tag;
  }

  void skip_space() { at_ += strip(source_.substr(at_), {}, Side::left).begin; }

  // After the closing delimiter of a block or comment.
  void finish_tag(char sign) {
    if (sign == '-') {
      const std::size_t before = at_;
      skip_space();
      line_start_ = at_ > before && source_[at_ - 1] == '\n';
      return;
    }
    line_start_ = sign != '+' && peek() == '\n';
    if (line_start_) ++at_;
  }

  void lex_outside() {
    const std::size_t begin = at_, tag = next_tag();
    if (tag == source_.size()) {
      push_data(begin, tag);
      at_ = tag;
      return;
    }
    at_ = tag + 1;
    const char mark = source_[at_++];
    const char sign = peek() == '-' || peek() == '+' ? peek() : '\0';
    if (sign != '\0') ++at_;
    push_data(begin, data_end(begin, tag, sign, mark == '{'));
    line_start_ = false;
    if (mark == '#') return lex_comment(tag);
    if (mark == '%' && lex_raw()) return;
    const bool variable = mark == '{';
    push(variable ? TokenKind::variable_begin : TokenKind::block_begin, tag, at_);
    lex_inside(variable ? "}}" : "%}", variable ? TokenKind::variable_end : TokenKind::block_end);
  }

  void lex_comment(std::size_t tag) {
    const std::size_t close = source_.find("#}", at_);
    if (close == std::string_view::npos) fail_syntax(line_at(tag), "missing end of comment tag");
    const char sign = close > at_ ? source_[close - 1] : '\0';
    at_ = close + 2;
    finish_tag(sign == '-' || sign == '+' ? sign : '\0');
  }

  // {% raw %} ... {% endraw %}; false when the block is another one.
  bool lex_raw() {
    const std::size_t start = at_;
    skip_space();
    if (!ahead("raw") || is_word_at(at_ + 3)) return at_ = start, false;
    at_ += 3;
    skip_space();
    const bool strip_after = peek() == '-';
    if (strip_after || peek() == '+') ++at_;
    if (!ahead("%}")) return at_ = start, false;
    at_ += 2;
    if (strip_after) skip_space();
    const std::size_t begin = at_;
    for (std::size_t tag = source_.find("{%", at_); tag != std::string_view::npos;
         tag = source_.find("{%", tag + 2)) {
      at_ = tag + 2;
      const char sign = peek() == '-' || peek() == '+' ? peek() : '\0';
      if (sign != '\0') ++at_;
      skip_space();
      if (!ahead("endraw") || is_word_at(at_ + 6)) continue;
      at_ += 6;
      skip_space();
      const char close = peek() == '-' || peek() == '+' ? peek() : '\0';
      if (close != '\0') ++at_;
      if (!ahead("%}")) continue;
      at_ += 2;
      push_data(begin, data_end(begin, tag, sign, false));
      finish_tag(close);
      return true;
    }
    fail_syntax(line_at(start), "missing end of raw block");
  }

  bool is_word_at(std::size_t place) const {
    return place < source_.size() && is_word(util::decode_utf8(source_, place).value);
  }

  void lex_inside(std::string_view close, TokenKind close_kind) {
    std::string open;  // brackets not yet closed
    while (true) {
      skip_space();
      if (at_ >= source_.size()) fail(fmt::format("unexpected end of template, expected '{}'", close));
      if (open.empty() && lex_close(close, close_kind)) return;
      lex_token(open);
    }
  }

  bool lex_close(std::string_view close, TokenKind kind) {
    const char sign = peek() == '-' || (peek() == '+' && close == "%}") ? peek() : '\0';
    if (source_.substr(at_ + (sign != '\0'), close.size()) != close) return false;
    const std::size_t begin = at_;
    at_ += close.size() + (sign != '\0');
    push(kind, begin, at_);
    if (kind == TokenKind::block_end) {
      finish_tag(sign);
    } else if (sign == '-') {
      skip_space();
      line_start_ = source_[at_ - 1] == '\n';
    }
    return true;
  }

  void lex_token(std::string& open) {
    const char c = peek();
    if (c == '\'' || c == '"') return lex_text(c);
    if (is_digit(c)) return lex_number();
    if (is_word_at(at_)) return lex_name();
    for (std::string_view symbol : kSymbols) {
      if (!ahead(symbol)) continue;
      balance(c, open);
      push(TokenKind::symbol, at_, at_ + symbol.size());
      at_ += symbol.size();
      return;
    }
    const std::size_t size = util::decode_utf8(source_, at_).size;
    fail(fmt::format("unexpected character '{}'", source_.substr(at_, size)));
  }

  void balance(char c, std::string& open) {
    constexpr std::string_view kOpening = "([{", kClosing = ")]}";
    if (kOpening.find(c) != std::string_view::npos) {
      open += c;
    } else if (const std::size_t kind = kClosing.find(c); kind != std::string_view::npos) {
      if (open.empty()) fail(fmt::format("unexpected '{}'", c));
      if (open.back() != kOpening[kind])
        fail(fmt::format("unexpected '{}', expected '{}'", c, kClosing[kOpening.find(open.back())]));
      open.pop_back();
    }
  }

  void lex_text(char quote) {
    for (std::size_t place = at_ + 1; place < source_.size(); ++place) {
      if (source_[place] == '\\') {
        ++place;
      } else if (source_[place] == quote) {
        push(TokenKind::text, at_, place + 1);
        at_ = place + 1;
        return;
      }
    }
    fail("a string is not closed");
  }

  void lex_name() {
    std::size_t place = at_;
    while (is_word_at(place)) place += util::decode_utf8(source_, place).size;
    push(TokenKind::name, at_, place);
    at_ = place;
  }

  // Digits with single underscores between them, from `place`; returns where they end.
  std::size_t digits_end(std::size_t place, bool (*accepts)(char)) const {
    const auto at = [this](std::size_t i) { return i < source_.size() ? source_[i] : '\0'; };
    while (accepts(at(place)) || (at(place) == '_' && accepts(at(place + 1)))) ++place;
    return place;
  }

  void lex_number() {
    const auto at = [this](std::size_t i) { return i < source_.size() ? source_[i] : '\0'; };
    const char base = peek() == '0' ? static_cast<char>(peek(1) | 0x20) : '\0';
    if (base == 'x' || base == 'o' || base == 'b') {
      const std::size_t end =
          digits_end(at_ + 2, [](char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); });
      push(TokenKind::integer, at_, end);
      at_ = end;
      return;
    }
    std::size_t end = digits_end(at_, is_digit);
    bool real = false;
    if (at(end) == '.' && is_digit(at(end + 1))) {
      real = true;
      end = digits_end(end + 1, is_digit);
    }
    if ((at(end) | 0x20) == 'e') {
      const std::size_t sign = at(end + 1) == '+' || at(end + 1) == '-' ? 1 : 0;
      if (is_digit(at(end + 1 + sign))) {
        real = true;
        end = digits_end(end + 1 + sign, is_digit);
      }
    }
    push(real ? TokenKind::real : TokenKind::integer, at_, end);
    at_ = end;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::size_t counted_ = 0;  // line_ is the line of this offset
  std::uint32_t line_ = 1;
  bool line_start_ = true;  // the literal text that follows begins a line
  std::vector<Token> tokens_;
};

// Up to `count` hexadecimal digits at text[at...]; nothing when fewer are there.
bool read_hex(std::string_view text, std::size_t at, std::size_t count, char32_t& value) {
  if (at + count > text.size()) return false;
  value = 0;
  for (char c : text.substr(at, count)) {
    const char lower = static_cast<char>(c | 0x20);
    if (is_digit(c)) {
      value = value * 16 + static_cast<char32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + static_cast<char32_t>(lower - 'a' + 10);
    } else {
      return false;
    }
  }
  return true;
}

char simple_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return c;
    default:
      return '\0';
  }
}

}  // namespace

std::string normalize_lines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::vector<Token> tokenize(std::string_view source) {
  return Lexer(source).run();
}

std::string decode_literal(const Token& token) {
  const std::string_view text = token.lexeme.substr(1, token.lexeme.size() - 2);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 >= text.size()) {
      out += text[at];
      continue;
    }
    const char kind = text[++at];
    if (kind == '\n') continue;
    if (const char simple = simple_escape(kind); simple != '\0') {
      out += simple;
      continue;
    }
    char32_t value = 0;
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits > 0) {
      if (!read_hex(text, at + 1, digits, value) || value > 0x10FFFF)
        fail_syntax(token.line, fmt::format("bad \\{} escape in a string", kind));
      at += digits;
    } else if (kind >= '0' && kind <= '7') {
      std::size_t used = 0;
      for (; used < 3 && at + used < text.size() && text[at + used] >= '0' && text[at + used] <= '7'; ++used)
        value = value * 8 + static_cast<char32_t>(text[at + used] - '0');
      at += used - 1;
    } else {
      out += '\\';
      out += kind;
      continue;
    }
    util::append_utf8(value >= 0xD800 && value < 0xE000 ? util::kReplacement : value, out);
  }
  return out;
}

}  // namespace pensieve::model::jinja
