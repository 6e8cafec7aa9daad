// GBNF: rules of literals, character classes, groups and repetitions, built as they are read.
#include <fmt/format.h>

#include "engine/constraint/grammar_reader.h"
#include "util/unicode.h"

namespace pensieve::engine::constraint {
namespace {

class GbnfReader final : public GrammarReader {
 public:
  using GrammarReader::GrammarReader;

  RootRule read() {
    for (skip(); !ended(); skip()) {
      const std::string_view rule_name = name();
      if (rule_name.empty()) refuse(fmt::format("a rule's name is expected, not '{}'", peek()));
      skip();
      if (!take("::=")) refuse(fmt::format("'::=' is expected after '{}'", rule_name));
      define(rule_name, alternatives(0));
    }
    return finished("root");
  }

 private:
  void skip() {
    for (;;) {
      const char c = peek();
      if (c == '#') {
        while (!ended() && peek() != '\n') ++at_;
      } else if (!ended() && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
        ++at_;
      } else {
        return;
      }
    }
  }

  bool at_next_rule() {
    const std::size_t begin = at_;
    bool next = !name().empty();
    if (next) {
      skip();
      next = take("::=");
    }
    at_ = begin;
    return next;
  }

  Part alternatives(int depth) {
    if (depth > kDeepest) refuse("it is nested too deeply");
    std::vector<Part> parts{sequence(depth)};
    while (take("|")) parts.push_back(sequence(depth));
    return parts.size() == 1 ? parts.front() : graph_.choice(parts);
  }

  Part sequence(int depth) {
    std::vector<Part> parts;
    for (skip(); !ended() && peek() != '|' && peek() != ')'; skip()) {
      if (at_next_rule()) break;
      const std::size_t begin = at_;
      Part part = item(depth);
      if (const auto bounds = quantifier()) part = copies(begin, part, *bounds, [&] { return item(depth); });
      parts.push_back(part);
    }
    return graph_.sequence(parts);
  }

  std::optional<Bounds> quantifier() {
    if (take("*")) return Bounds{0, -1};
    if (take("+")) return Bounds{1, -1};
    if (take("?")) return Bounds{0, 1};
    if (!take("{")) return std::nullopt;
    Bounds bounds;
    skip();
    bounds.first = bounds.second = peek() == ',' ? 0 : number();
    skip();
    if (take(",")) {
      skip();
      bounds.second = peek() == '}' ? -1 : number();
    }
    skip();
    if (!take("}")) refuse("'{' is never closed");
    return bounds;
  }

  Part item(int depth) {
    if (take("(")) {
      const Part part = alternatives(depth + 1);
      skip();
      if (!take(")")) refuse("'(' is never closed");
      return part;
    }
    if (take("\"")) return literal();
    if (take("[")) return graph_.characters(char_class());
    if (take(".")) return graph_.characters(CharSet::any());
    const std::string_view called = name();
    if (called.empty()) refuse(fmt::format("'{}' means nothing here", peek()));
    return graph_.call(rule(called));
  }

  Part literal() {
    std::string text;
    while (!take("\"")) util::append_utf8(character(), text);
    return graph_.literal(text);
  }

  CharSet char_class() {
    const bool negated = take("^");
    CharSet set;
    while (!take("]")) {
      const char32_t low = character();
      char32_t high = low;
      if (peek() == '-' && peek(1) != ']') {
        ++at_;
        high = character();
        if (high < low) refuse("a range's ends are in the wrong order");
      }
      set.add(low, high);
    }
    if (negated) set.negate();
    return set;
  }

  char32_t character() {
    const char32_t c = next();
    if (c != '\\') return c;
    const char32_t escape = next();
    switch (escape) {
      case 'x':
        return hexadecimal(2);
      case 'u':
        return hexadecimal(4);
      case 'U':
        return hexadecimal(8);
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case '"':
      case '\\':
      case '[':
      case ']':
      case '-':
      case '^':
      case '/':
        return escape;
      default:
        refuse("an escape is unknown");
    }
  }
};

}  // namespace

RootRule compile_gbnf(Graph& graph, std::string_view source) {
  return GbnfReader(graph, source).read();
}

}  // namespace pensieve::engine::constraint
