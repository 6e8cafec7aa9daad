// A pushdown machine over bytes; only what decides where the value ends.
#include "model/chat/reply/json_scanner.h"

#include <array>

namespace pensieve::model::reply {
namespace {

constexpr std::size_t kDeepest = 64;         // as util::parse_json
constexpr std::size_t kLongestScalar = 400;  // no double needs more digits

bool json_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool is_number_byte(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

bool begins_a_literal(std::string_view text) {
  constexpr std::array<std::string_view, 3> kLiterals{"true", "false", "null"};
  for (const std::string_view literal : kLiterals) {
    if (literal.substr(0, text.size()) == text) return true;
  }
  return false;
}

}  // namespace

JsonScanner::Outcome JsonScanner::scan(std::string_view text) {
  while (!done_ && at_ < text.size()) {
    const char c = text[at_];
    bool good = true;
    if (in_string_) {
      good = string_byte(c);
    } else if (!scalar_.empty() && (is_number_byte(c) || (c >= 'a' && c <= 'z'))) {
      good = scalar_byte(c);
    } else {
      if (!scalar_.empty()) {
        scalar_.clear();
        value_ended(at_);
      }
      good = json_space(c) || structural(c);
    }
    if (!good) return Outcome::invalid;
    ++at_;
  }
  return done_ ? Outcome::complete : Outcome::more;
}

bool JsonScanner::string_byte(char c) {
  if (static_cast<unsigned char>(c) < 0x20) return false;
  if (escaped_) {
    escaped_ = false;
    return std::string_view("\"\\/bfnrtu").find(c) != std::string_view::npos;
  }
  if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    if (!is_key_) {
      value_ended(at_ + 1);
    } else {
      if (open_.size() == 1) member_.key_end = at_ + 1;
      expect_ = Expect::colon;
    }
  }
  return true;
}

bool JsonScanner::scalar_byte(char c) {
  scalar_ += c;
  if (scalar_.size() > kLongestScalar) return false;
  const bool number = scalar_[0] == '-' || (scalar_[0] >= '0' && scalar_[0] <= '9');
  return number ? is_number_byte(c) : begins_a_literal(scalar_);
}

bool JsonScanner::structural(char c) {
  switch (expect_) {
    case Expect::value_or_close:
      return c == ']' ? close('[') : begin_value(c);
    case Expect::value:
      return begin_value(c);
    case Expect::key_or_close:
      if (c == '}') return close('{');
      [[fallthrough]];
    case Expect::key:
      if (c != '"') return false;
      in_string_ = is_key_ = true;
      if (open_.size() == 1) member_.key_begin = at_;
      return true;
    case Expect::colon:
      if (c != ':') return false;
      expect_ = Expect::value;
      return true;
    case Expect::comma_or_close:
      if (c == ',') {
        expect_ = open_.back() == '{' ? Expect::key : Expect::value;
        return true;
      }
      return close(c == '}' ? '{' : c == ']' ? '[' : '\0');
  }
  return false;
}

bool JsonScanner::begin_value(char c) {
  if (open_.size() == 1) member_.value_begin = at_;
  if (c == '{' || c == '[') {
    if (open_.size() >= kDeepest) return false;
    open_ += c;
    expect_ = c == '{' ? Expect::key_or_close : Expect::value_or_close;
    return true;
  }
  if (open_.empty()) return false;
  if (c == '"') {
    in_string_ = true;
    is_key_ = false;
    return true;
  }
  return (c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n') && scalar_byte(c);
}

bool JsonScanner::close(char bracket) {
  if (open_.empty() || open_.back() != bracket) return false;
  open_.pop_back();
  if (open_.empty()) {
    done_ = true;
  } else {
    value_ended(at_ + 1);
  }
  return true;
}

void JsonScanner::value_ended(std::size_t end) {
  expect_ = Expect::comma_or_close;
  if (open_.size() != 1 || open_.front() != '{') return;
  member_.value_end = end;
  members_.push_back(member_);
}

}  // namespace pensieve::model::reply
