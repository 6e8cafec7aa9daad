// Lark: rules and terminals; ignored terminals may stand before each terminal of a rule and at the end.
#include <fmt/format.h>

#include <array>

#include "engine/constraint/grammar_reader.h"
#include "engine/constraint/regex.h"
#include "util/unicode.h"

namespace pensieve::engine::constraint {
namespace {

struct CommonTerminal {
  std::string_view name, pattern;
};
constexpr std::array<CommonTerminal, 15> kCommon{{
    {"DIGIT", "[0-9]"},
    {"HEXDIGIT", "[0-9a-fA-F]"},
    {"INT", "[0-9]+"},
    {"SIGNED_INT", "[+-]?[0-9]+"},
    {"DECIMAL", "[0-9]+\\.[0-9]*|\\.[0-9]+"},
    {"FLOAT", "[0-9]+[eE][+-]?[0-9]+|([0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?"},
    {"NUMBER", "([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?"},
    {"SIGNED_NUMBER", "[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?"},
    {"ESCAPED_STRING", "\"(?:[^\"\\\\\\n]|\\\\.)*\""},
    {"LETTER", "[a-zA-Z]"},
    {"WORD", "[a-zA-Z]+"},
    {"CNAME", "[_a-zA-Z][_a-zA-Z0-9]*"},
    {"WS", "[ \\t\\f\\r\\n]+"},
    {"WS_INLINE", "[ \\t]+"},
    {"NEWLINE", "(\\r?\\n)+"},
}};

bool is_terminal(std::string_view name) {
  for (const char c : name) {
    if (c >= 'a' && c <= 'z') return false;
    if (c >= 'A' && c <= 'Z') return true;
  }
  return false;
}

class LarkReader final : public GrammarReader {
 public:
  LarkReader(Graph& graph, std::string_view source) : GrammarReader(graph, source), gap_(graph.declare()) {}

  RootRule read() {
    for (skip(); !ended(); skip()) {
      if (take("%")) {
        directive();
        continue;
      }
      if (!take("?")) take("!");
      const std::string_view rule_name = name();
      if (rule_name.empty()) refuse(fmt::format("a rule's name is expected, not '{}'", peek()));
      if (take(".")) number();
      skip();
      if (!take(":")) refuse(fmt::format("':' is expected after '{}'", rule_name));
      in_terminal_ = is_terminal(rule_name);
      define(rule_name, alternatives(0));
    }
    std::vector<Part> ignored;
    for (const std::string& pattern : ignored_) {
      at_ = source_.size();
      ignored.push_back(graph_.call(rule(pattern)));
    }
    graph_.define(gap_,
                  graph_.sequence({graph_.empty(), graph_.star(graph_.choice(ignored)), graph_.empty()}));
    RootRule start = finished("start");
    const Rule whole = graph_.declare();
    graph_.define(whole, graph_.sequence({graph_.call(start.rule), graph_.call(gap_)}));
    return {whole, {}};
  }

 private:
  void skip() {
    for (;;) {
      if (take("//") || take("#")) {
        while (!ended() && peek() != '\n') ++at_;
      } else if (!ended() && (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n')) {
        ++at_;
      } else {
        return;
      }
    }
  }

  void directive() {
    const std::string_view what = name();
    skip();
    if (what == "ignore") {
      in_terminal_ = true;
      const std::string hidden = fmt::format("%ignore {}", ignored_.size() + 1);
      define(hidden, alternatives(0));
      ignored_.push_back(hidden);
    } else if (what == "import") {
      import();
    } else {
      refuse(fmt::format("%{} is not supported", what));
    }
  }

  void import() {
    if (!take("common.")) refuse("only terminals of 'common' can be imported");
    std::vector<std::string_view> names{name()};
    std::string_view alias = names.front();
    skip();
    if (take("->")) {
      skip();
      alias = name();
    }
    for (const CommonTerminal& terminal : kCommon) {
      if (terminal.name != names.front()) continue;
      return define(alias,
                    compile_regex(terminal.pattern, Spelling::plain, false, {}, graph_.work()).emit(graph_));
    }
    refuse(fmt::format("common.{} is not known", names.front()));
  }

  // A definition or directive begins here, so the one before has ended.
  bool at_next_definition() {
    if (peek() == '%') return true;
    const std::size_t begin = at_;
    if (!take("?")) take("!");
    bool next = !name().empty();
    if (next) {
      if (peek() == '.' && peek(1) >= '0' && peek(1) <= '9') {
        ++at_;
        number();
      }
      while (peek() == ' ' || peek() == '\t') ++at_;
      next = take(":");
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
    for (skip(); !ended() && peek() != '|' && peek() != ')' && peek() != ']'; skip()) {
      if (take("->")) {  // a name for the tree: nothing to match
        skip();
        name();
        continue;
      }
      if (at_next_definition()) break;
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
    if (!take("~")) return std::nullopt;
    skip();
    Bounds bounds;
    bounds.first = bounds.second = number();
    if (take("..")) bounds.second = number();
    return bounds;
  }

  Part item(int depth) {
    if (take("(")) return group(depth, ")");
    if (take("[")) return graph_.optional(group(depth, "]"));
    if (peek() == '"') return terminal(text_or_range());
    if (take("/")) return terminal(pattern());
    const std::string_view called = name();
    if (called.empty()) refuse(fmt::format("'{}' means nothing here", peek()));
    if (peek() == '{') refuse("templates are not supported");
    const Part part = graph_.call(rule(called));
    return is_terminal(called) ? terminal(part) : part;
  }

  Part group(int depth, std::string_view close) {
    const Part part = alternatives(depth + 1);
    skip();
    if (!take(close)) refuse(fmt::format("'{}' is missing", close));
    return part;
  }

  // Between terminals of rules stands what is ignored; inside a terminal nothing is.
  Part terminal(Part part) { return in_terminal_ ? part : graph_.sequence({graph_.call(gap_), part}); }

  Part text_or_range() {
    const std::string text = quoted();
    if (take("..")) {
      const std::string last = quoted();
      const util::CodePoint low = util::decode_utf8(text + " ", 0), high = util::decode_utf8(last + " ", 0);
      if (low.size != text.size() || high.size != last.size() || low.value > high.value)
        refuse("a range has two single characters in order");
      CharSet set;
      set.add(low.value, high.value);
      return graph_.characters(set);
    }
    if (!take("i")) return graph_.literal(text);
    std::vector<Part> parts;
    for (std::size_t at = 0; at < text.size();) {
      const util::CodePoint point = util::decode_utf8(text, at);
      CharSet set;
      set.add(point.value, point.value);
      set.fold_case();
      parts.push_back(graph_.characters(set));
      at += point.size;
    }
    return graph_.sequence(parts);
  }

  std::string quoted() {
    if (!take("\"")) refuse("a text in quotes is expected");
    std::string text;
    while (!take("\"")) {
      char32_t c = next();
      if (c == '\n') refuse("a quoted text ends at its line's end");
      if (c == '\\') c = escape();
      util::append_utf8(c, text);
    }
    return text;
  }

  char32_t escape() {
    const char32_t c = next();
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'f':
        return '\f';
      case 'x':
        return hexadecimal(2);
      case 'u':
        return hexadecimal(4);
      default:
        return c;
    }
  }

  Part pattern() {
    const std::size_t begin = at_;
    bool in_class = false;
    while (!ended() && peek() != '\n' && (peek() != '/' || in_class)) {
      if (peek() == '[') in_class = true;
      if (peek() == ']') in_class = false;
      at_ += peek() == '\\' ? 2 : 1;
    }
    if (ended() || peek() != '/') refuse("'/' is never closed");
    const std::string_view text = source_.substr(begin, at_ - begin);
    const std::size_t flags = ++at_;
    while (peek() >= 'a' && peek() <= 'z') ++at_;
    return compile_regex(text, Spelling::plain, false, source_.substr(flags, at_ - flags), graph_.work())
        .emit(graph_);
  }

  Rule gap_;
  bool in_terminal_ = false;
  std::vector<std::string> ignored_;
};

}  // namespace

RootRule compile_lark(Graph& graph, std::string_view source) {
  return LarkReader(graph, source).read();
}

}  // namespace pensieve::engine::constraint
