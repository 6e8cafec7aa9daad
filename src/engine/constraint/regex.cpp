// A recursive-descent parser that builds the automaton as it reads; repetitions read their operand again for
// each copy.
#include "engine/constraint/regex.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "util/unicode.h"

namespace pensieve::engine::constraint {
namespace {

constexpr int kDeepest = 100;
constexpr std::int64_t kMostCopies = 10'000;
constexpr std::size_t kCharacterSteps = 20;  // of reading one

CharSet of(char32_t c) {
  CharSet set;
  set.add(c, c);
  return set;
}

CharSet shorthand(char32_t letter) {
  CharSet set;
  const char32_t lower = letter | 0x20;
  if (lower == 'd' || lower == 'w') set.add('0', '9');
  if (lower == 'w') {
    set.add('a', 'z');
    set.add('A', 'Z');
    set.add('_', '_');
  }
  if (lower == 's') {
    set.add('\t', '\r');
    set.add(' ', ' ');
  }
  if (letter != lower) set.negate();
  return set;
}

class Parser {
 public:
  Parser(std::string_view pattern, Spelling spelling, std::string_view flags)
      : pattern_(pattern), spelling_(spelling) {
    set_flags(flags);
  }

  // The whole pattern into `graph`.
  Part parse(Graph& graph) {
    graph_ = &graph;
    if (pattern_.starts_with("(?") && pattern_.size() > 2 && (pattern_[2] == 'i' || pattern_[2] == 's')) {
      const std::size_t end = pattern_.find(')');
      if (end == std::string_view::npos) refuse("'(' is never closed");
      set_flags(pattern_.substr(2, end - 2));
      at_ = end + 1;
    }
    const Part part = choice(0);
    if (at_ < pattern_.size()) refuse("')' closes nothing");
    return part;
  }
  const Dfa::Guarded& begins() const { return begins_; }
  const Dfa::Guarded& ends() const { return ends_; }

 private:
  [[noreturn]] void refuse(std::string_view why) const {
    throw Refusal(
        fmt::format("the regular expression /{}/ is not possible: {} (at byte {})", pattern_, why, at_));
  }
  void set_flags(std::string_view flags) {
    for (const char flag : flags) {
      if (flag != 'i' && flag != 's') refuse(fmt::format("flag '{}' is not supported", flag));
      (flag == 'i' ? fold_case_ : dot_is_all_) = true;
    }
  }
  bool ended() const { return at_ == pattern_.size(); }
  bool take(char c) {
    if (ended() || pattern_[at_] != c) return false;
    ++at_;
    return true;
  }
  char32_t next() {
    const util::CodePoint point = util::decode_utf8(pattern_, at_);
    if (!point.valid) refuse("it is not UTF-8");
    at_ += point.size;
    return point.value;
  }

  Part choice(int depth) {
    if (depth > kDeepest) refuse("it is nested too deeply");
    std::vector<Part> branches{sequence(depth)};
    while (take('|')) branches.push_back(sequence(depth));
    return branches.size() == 1 ? branches.front() : graph_->choice(branches);
  }

  Part sequence(int depth) {
    std::vector<Part> parts;
    while (!ended() && pattern_[at_] != '|' && pattern_[at_] != ')') parts.push_back(repeated(depth));
    return graph_->sequence(parts);
  }

  Part repeated(int depth) {
    const std::size_t begin = at_;
    const Part first = atom(depth);
    const std::size_t end = at_;
    const auto bounds = quantifier();
    if (!bounds) return first;
    const std::size_t after = at_;
    bool used = false;
    const Part all = graph_->repeat(
        [&] {
          if (!std::exchange(used, true)) return first;
          at_ = begin;
          const Part copy = atom(depth);
          at_ = end;
          return copy;
        },
        bounds->first, bounds->second);
    at_ = after;
    if (!ended() && (pattern_[at_] == '*' || pattern_[at_] == '+' || pattern_[at_] == '?'))
      refuse("a quantifier follows a quantifier");
    return all;
  }

  std::optional<std::pair<std::int64_t, std::int64_t>> quantifier() {
    std::pair<std::int64_t, std::int64_t> bounds;
    if (take('*')) {
      bounds = {0, -1};
    } else if (take('+')) {
      bounds = {1, -1};
    } else if (take('?')) {
      bounds = {0, 1};
    } else {
      const auto counted = counts();
      if (!counted) return std::nullopt;
      bounds = *counted;
    }
    take('?');  // lazy or not, the language is the same
    return bounds;
  }

  // {n}, {n,} or {n,m}; any other brace is a character.
  std::optional<std::pair<std::int64_t, std::int64_t>> counts() {
    const std::size_t begin = at_;
    std::int64_t least = 0, most = 0;
    const bool good = [&] {
      if (!take('{') || !number(least)) return false;
      most = least;
      if (take(',')) {
        most = -1;
        if (!ended() && pattern_[at_] != '}' && !number(most)) return false;
      }
      return take('}');
    }();
    if (!good) {
      at_ = begin;
      return std::nullopt;
    }
    if (most >= 0 && most < least) refuse("a repetition's bounds are in the wrong order");
    if (std::max(least, most) > kMostCopies)
      refuse(fmt::format("it repeats more than {} times", kMostCopies));
    return std::pair{least, most};
  }

  bool number(std::int64_t& value) {
    const std::size_t begin = at_;
    value = 0;
    while (!ended() && pattern_[at_] >= '0' && pattern_[at_] <= '9' && at_ - begin < 9)
      value = value * 10 + (pattern_[at_++] - '0');
    return at_ > begin;
  }

  Part atom(int depth) {
    const char c = pattern_[at_];
    if (c == '(') return group(depth);
    if (c == '[') return characters(char_class());
    if (c == '*' || c == '+' || c == '?') refuse("a quantifier follows nothing");
    if (c == '^' || c == '$') {
      ++at_;
      const Part part{graph_->node(), graph_->node()};
      (c == '^' ? begins_ : ends_).emplace_back(part.in, part.out);
      return part;
    }
    if (c == '.') {
      ++at_;
      CharSet set;
      if (!dot_is_all_) set.add('\n', '\n');
      set.negate();
      return characters(set);
    }
    if (c == '\\') {
      ++at_;
      return characters(escape(false));
    }
    return characters(of(next()));
  }

  Part characters(CharSet set) {
    graph_->work()->spend(kCharacterSteps + set.ranges().size());
    if (fold_case_) set.fold_case();
    return spelled_characters(*graph_, set, spelling_);
  }

  Part group(int depth) {
    ++at_;
    if (take('?')) {
      if (take('P') || (at_ + 1 < pattern_.size() && pattern_[at_] == '<' && pattern_[at_ + 1] != '=' &&
                        pattern_[at_ + 1] != '!')) {
        if (!take('<')) refuse("this kind of group is not supported");
        const std::size_t end = pattern_.find('>', at_);
        if (end == std::string_view::npos) refuse("a group's name is never closed");
        at_ = end + 1;
      } else if (!take(':')) {
        refuse("look-around and other special groups are not supported");
      }
    }
    const Part part = choice(depth + 1);
    if (!take(')')) refuse("'(' is never closed");
    return part;
  }

  CharSet char_class() {
    ++at_;
    const bool negated = take('^');
    CharSet set;
    bool first = true;
    for (; first || ended() || pattern_[at_] != ']'; first = false) {
      if (ended()) refuse("'[' is never closed");
      if (first && pattern_[at_] == ']') break;
      CharSet one = class_item();
      if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        ++at_;
        const CharSet last = class_item();
        const auto single = [](const CharSet& item) {
          return item.ranges().size() == 1 && item.ranges().front().low == item.ranges().front().high;
        };
        if (!single(one) || !single(last)) refuse("a range ends in a class");
        const char32_t low = one.ranges().front().low, high = last.ranges().front().low;
        if (low > high) refuse("a range's ends are in the wrong order");
        one.add(low, high);
      }
      set.add(one);
    }
    ++at_;
    if (fold_case_) set.fold_case();
    if (negated) set.negate();
    return set;
  }

  CharSet class_item() {
    if (pattern_.substr(at_, 2) == "[:") return named_class();
    if (take('\\')) return escape(true);
    return of(next());
  }

  // POSIX: [:alpha:] within a class.
  CharSet named_class() {
    const std::size_t end = pattern_.find(":]", at_);
    if (end == std::string_view::npos) refuse("'[:' is never closed");
    const std::string_view name = pattern_.substr(at_ + 2, end - at_ - 2);
    CharSet set;
    const bool letters = name == "alpha" || name == "alnum";
    if (letters || name == "lower") set.add('a', 'z');
    if (letters || name == "upper") set.add('A', 'Z');
    if (name == "digit" || name == "alnum" || name == "xdigit") set.add('0', '9');
    if (name == "xdigit") {
      set.add('a', 'f');
      set.add('A', 'F');
    }
    if (name == "space") set = shorthand('s');
    if (set.empty()) refuse(fmt::format("the class [:{}:] is not supported", name));
    at_ = end + 2;
    return set;
  }

  CharSet escape(bool in_class) {
    if (ended()) refuse("it ends in a backslash");
    const char32_t c = next();
    switch (c) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
      case 's':
      case 'S':
        return shorthand(c);
      case 'n':
        return of('\n');
      case 't':
        return of('\t');
      case 'r':
        return of('\r');
      case 'f':
        return of('\f');
      case 'v':
        return of('\v');
      case '0':
        return of(0);
      case 'x':
        return of(hexadecimal(2));
      case 'u':
        return of(unicode());
      case 'b':
        if (in_class) return of('\b');
        [[fallthrough]];
      default:
        break;
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      std::string name;
      util::append_utf8(c, name);
      refuse(fmt::format("\\{} is not supported", name));
    }
    return of(c);
  }

  char32_t hexadecimal(std::size_t digits) {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = ended() ? '\0' : pattern_[at_];
      const int digit = c >= '0' && c <= '9'                     ? c - '0'
                        : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                                 : -1;
      if (digit < 0) refuse("an escape lacks hexadecimal digits");
      value = value * 16 + static_cast<char32_t>(digit);
      ++at_;
    }
    return value;
  }

  char32_t unicode() {
    char32_t value = 0;
    if (take('{')) {
      const std::size_t end = std::min(pattern_.find('}', at_), pattern_.size());
      if (end == at_ || end - at_ > 6) refuse("\\u{} holds no code point");
      value = hexadecimal(end - at_);
      if (!take('}')) refuse("\\u{ is never closed");
    } else {
      value = hexadecimal(4);
      if (value >= 0xD800 && value < 0xDC00 && pattern_.substr(at_, 2) == "\\u") {
        at_ += 2;
        const char32_t low = hexadecimal(4);
        if (low < 0xDC00 || low > 0xDFFF) refuse("a surrogate stands alone");
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
      }
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) refuse("a surrogate stands alone");
    return value;
  }

  std::string_view pattern_;
  Spelling spelling_;
  std::size_t at_ = 0;
  bool fold_case_ = false, dot_is_all_ = false;
  Graph* graph_ = nullptr;
  Dfa::Guarded begins_, ends_;
};

const char* short_escape(char32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return nullptr;
  }
}

bool must_be_escaped(char32_t c) {
  return c < 0x20 || c == '"' || c == '\\';
}

std::string escaped(char32_t c) {
  const char* text = short_escape(c);
  return text != nullptr ? std::string(text) : fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
}

}  // namespace

Part spelled_characters(Graph& graph, const CharSet& set, Spelling spelling) {
  if (spelling == Spelling::plain) return graph.characters(set);
  CharSet raw;
  std::vector<Part> parts;
  for (const CharSet::Range& range : set.ranges()) {
    for (char32_t c = range.low; c <= std::min<char32_t>(range.high, '\\'); ++c) {
      if (must_be_escaped(c)) parts.push_back(graph.literal(escaped(c)));
    }
    const auto overlap = [&](char32_t low, char32_t high) {
      raw.add(std::max(low, range.low), std::min(high, range.high));
    };
    overlap(0x20, '"' - 1);
    overlap('"' + 1, '\\' - 1);
    overlap('\\' + 1, 0x10FFFF);
  }
  parts.push_back(graph.characters(raw));
  return graph.choice(parts);
}

std::string spelled(std::string_view utf8, Spelling spelling) {
  if (spelling == Spelling::plain) return std::string(utf8);
  std::string out;
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && must_be_escaped(byte)) {
      out += escaped(byte);
    } else {
      out += c;
    }
  }
  return out;
}

Dfa compile_regex(std::string_view pattern, Spelling spelling, bool search, std::string_view flags,
                  const std::shared_ptr<Work>& work) {
  Graph graph(work);
  Parser parser(pattern, spelling, flags);
  Part part = parser.parse(graph);
  if (search) {
    const auto anything = [&] { return graph.star(spelled_characters(graph, CharSet::any(), spelling)); };
    part = graph.sequence({anything(), part, anything()});
  }
  return Dfa::of(graph, part, parser.begins(), parser.ends());
}

}  // namespace pensieve::engine::constraint
