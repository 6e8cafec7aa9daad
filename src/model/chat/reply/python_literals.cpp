// Recursive descent over Python literals and calls with keyword arguments.
#include <cctype>

#include "model/chat/reply/piece_writer.h"
#include "model/chat/reply/python_calls.h"
#include "util/unicode.h"

namespace pensieve::model::reply {
namespace {

using util::Json;

class Literals {
 public:
  Literals(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::optional<Json> value(int depth) {
    constexpr int kDeepest = 32;
    space();
    if (depth > kDeepest || at_ == text_.size()) return std::nullopt;
    const char c = text_[at_];
    if (c == '"' || c == '\'') return string();
    if (c == '[' || c == '(') return list(c == '[' ? ']' : ')', depth);
    if (c == '{') return dict(depth);
    if (c == '-' || c == '+' || c == '.' || (c >= '0' && c <= '9')) return number();
    return constant();
  }

  std::optional<ParsedCall> call() {
    space();
    const std::string_view name = word();
    if (!is_call_name(name) || !take('(')) return std::nullopt;
    Json arguments = Json::object();
    space();
    while (!take(')')) {
      const std::string_view key = word();
      space();
      if (key.empty() || key.find_first_of(".-:/") != std::string_view::npos || !take('='))
        return std::nullopt;
      std::optional<Json> argument = value(0);
      if (!argument) return std::nullopt;
      arguments[std::string(key)] = std::move(*argument);
      space();
      if (take(',')) {
        space();
      } else if (at_ == text_.size() || text_[at_] != ')') {
        return std::nullopt;
      }
    }
    return ParsedCall{std::string(name), util::to_json(arguments)};
  }

  void space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::size_t at() const { return at_; }

 private:
  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_call_name(text_.substr(at_, 1))) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::optional<Json> constant() {
    const std::string_view name = word();
    if (name == "True" || name == "true") return Json(true);
    if (name == "False" || name == "false") return Json(false);
    if (name == "None" || name == "null") return Json(nullptr);
    return std::nullopt;
  }

  std::optional<Json> number() {
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           std::string_view("+-.0123456789eE_").find(text_[at_]) != std::string_view::npos)
      ++at_;
    std::string digits;
    for (const char c : text_.substr(begin, at_ - begin)) {
      if (c != '_' && !(c == '+' && digits.empty())) digits += c;
    }
    if (!digits.empty() && digits.back() == '.') digits += '0';
    const std::size_t first = digits.starts_with('-') ? 1 : 0;
    if (digits.size() > first && digits[first] == '.') digits.insert(first, 1, '0');
    Result<Json> parsed = util::parse_json(digits);
    if (!parsed) return std::nullopt;
    return std::move(*parsed);
  }

  std::optional<Json> list(char close, int depth) {
    ++at_;
    Json all = Json::array();
    for (space(); !take(close); space()) {
      std::optional<Json> one = value(depth + 1);
      if (!one) return std::nullopt;
      all.push_back(std::move(*one));
      space();
      if (!take(',') && (at_ == text_.size() || text_[at_] != close)) return std::nullopt;
    }
    return all;
  }

  std::optional<Json> dict(int depth) {
    ++at_;
    Json all = Json::object();
    for (space(); !take('}'); space()) {
      const std::optional<Json> key = value(depth + 1);
      if (!key || !key->is_string()) return std::nullopt;
      space();
      if (!take(':')) return std::nullopt;
      std::optional<Json> one = value(depth + 1);
      if (!one) return std::nullopt;
      all[key->get<std::string>()] = std::move(*one);
      space();
      if (!take(',') && (at_ == text_.size() || text_[at_] != '}')) return std::nullopt;
    }
    return all;
  }

  std::optional<Json> string() {
    const char quote = text_[at_];
    const std::string triple(3, quote);
    const std::string_view end =
        text_.substr(at_, 3) == triple ? std::string_view(triple) : std::string_view(triple).substr(0, 1);
    at_ += end.size();
    std::string out;
    while (at_ < text_.size()) {
      if (text_.substr(at_, end.size()) == end) {
        at_ += end.size();
        return Json(util::valid_utf8(out) ? out : util::repair_utf8(out));
      }
      if (text_[at_] == '\\') {
        if (!escape(out)) return std::nullopt;
      } else if (text_[at_] == '\n' && end.size() == 1) {
        return std::nullopt;
      } else {
        out += text_[at_++];
      }
    }
    return std::nullopt;
  }

  bool escape(std::string& out) {
    if (at_ + 1 >= text_.size()) return false;
    const char c = text_[at_ + 1];
    at_ += 2;
    constexpr std::string_view kNames = "nrtbfav0\\'\"/\n";
    constexpr std::string_view kValues{"\n\r\t\b\f\a\v\0\\'\"/", 12};
    if (c == 'x') return code_point(2, out);
    if (c == 'u') return code_point(4, out);
    if (c == 'U') return code_point(8, out);
    const std::size_t known = kNames.find(c);
    if (known == std::string_view::npos) {
      out += '\\';  // Python keeps a backslash that means nothing
      out += c;
    } else if (known < kValues.size()) {
      out += kValues[known];
    }
    return true;
  }

  bool code_point(std::size_t digits, std::string& out) {
    const std::optional<char32_t> first = hexadecimal(digits);
    if (!first) return false;
    char32_t value = *first;
    if (value >= 0xD800 && value < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const std::optional<char32_t> second = hexadecimal(4);
      if (!second || *second < 0xDC00 || *second > 0xDFFF) return false;
      value = 0x10000 + ((value - 0xD800) << 10) + (*second - 0xDC00);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
    util::append_utf8(value, out);
    return true;
  }

  std::optional<char32_t> hexadecimal(std::size_t digits) {
    if (text_.size() - at_ < digits) return std::nullopt;
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const auto c = static_cast<unsigned char>(text_[at_++]);
      if (std::isxdigit(c) == 0) return std::nullopt;
      value = value * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
  }

  std::string_view text_;
  std::size_t at_;
};

}  // namespace

std::optional<Json> python_literal(std::string_view text, std::size_t& at) {
  Literals literals(text, at);
  std::optional<Json> value = literals.value(0);
  if (value) at = literals.at();
  return value;
}

std::optional<ParsedCall> python_call(std::string_view text, std::size_t& at) {
  Literals literals(text, at);
  std::optional<ParsedCall> call = literals.call();
  if (call) at = literals.at();
  return call;
}

std::optional<std::vector<ParsedCall>> python_calls(std::string_view text) {
  std::vector<ParsedCall> calls;
  text = without_trailing_space(text);
  for (std::size_t at = 0; at < text.size();) {
    std::optional<ParsedCall> call = python_call(text, at);
    if (!call) return std::nullopt;
    calls.push_back(std::move(*call));
    while (at < text.size() && (is_space(text[at]) || text[at] == ',' || text[at] == ';')) ++at;
  }
  if (calls.empty()) return std::nullopt;
  return calls;
}

}  // namespace pensieve::model::reply
