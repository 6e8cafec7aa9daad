// Names, numbers and refusals of grammar texts.
#include "engine/constraint/grammar_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "util/unicode.h"

namespace pensieve::engine::constraint {

void GrammarReader::refuse(std::string_view why) const {
  const auto line =
      std::count(source_.begin(),
                 source_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, source_.size())), '\n') +
      1;
  throw Refusal(fmt::format("grammar, line {}: {}", line, why));
}

bool GrammarReader::take(std::string_view text) {
  if (source_.substr(std::min(at_, source_.size()), text.size()) != text) return false;
  at_ += text.size();
  return true;
}

char32_t GrammarReader::next() {
  if (ended()) refuse("it ends in the middle of a literal");
  const util::CodePoint point = util::decode_utf8(source_, at_);
  if (!point.valid) refuse("it is not UTF-8");
  at_ += point.size;
  return point.value;
}

char32_t GrammarReader::hexadecimal(std::size_t digits) {
  char32_t value = 0;
  for (std::size_t i = 0; i < digits; ++i, ++at_) {
    const char c = peek();
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value * 16 + static_cast<char32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + static_cast<char32_t>(lower - 'a' + 10);
    } else {
      refuse("an escape lacks hexadecimal digits");
    }
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) refuse("an escape is no code point");
  return value;
}

std::int64_t GrammarReader::number() {
  const std::size_t begin = at_;
  std::int64_t value = 0;
  while (peek() >= '0' && peek() <= '9' && at_ - begin < 9) value = value * 10 + (source_[at_++] - '0');
  if (at_ == begin) refuse("a number is missing");
  return value;
}

std::string_view GrammarReader::name() {
  const std::size_t begin = at_;
  const auto part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  while (part(peek())) ++at_;
  return source_.substr(begin, at_ - begin);
}

Rule GrammarReader::rule(std::string_view name) {
  const auto found = rules_.find(name);
  if (found != rules_.end()) return found->second;
  const Rule rule = graph_.declare();
  rules_.emplace(std::string(name), rule);
  names_.resize(static_cast<std::size_t>(rule) + 1);
  defined_.resize(names_.size(), true);  // rules of other origin in between need no definition
  names_.back() = name;
  defined_.back() = false;
  return rule;
}

void GrammarReader::define(std::string_view name, Part part) {
  const Rule rule = this->rule(name);
  if (defined_[static_cast<std::size_t>(rule)]) refuse(fmt::format("rule '{}' is defined twice", name));
  defined_[static_cast<std::size_t>(rule)] = true;
  graph_.define(rule, graph_.sequence({graph_.empty(), part, graph_.empty()}));
}

void GrammarReader::check_all_defined() const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!defined_[i]) throw Refusal(fmt::format("grammar: rule '{}' is used but not defined", names_[i]));
  }
}

RootRule GrammarReader::finished(std::string_view root) {
  const auto found = rules_.find(root);
  if (found == rules_.end() || !defined_[static_cast<std::size_t>(found->second)])
    throw Refusal(fmt::format("grammar: it has no rule '{}', where it would start", root));
  check_all_defined();
  return {found->second, names_};
}

void GrammarReader::check_bounds(Bounds bounds) const {
  if (bounds.second >= 0 && bounds.second < bounds.first)
    refuse("a repetition's bounds are in the wrong order");
  if (std::max(bounds.first, bounds.second) > kMostCopies)
    refuse(fmt::format("something is repeated more than {} times", kMostCopies));
}

}  // namespace pensieve::engine::constraint
