// Recursive descent over the few constructs that published pre-tokenizer expressions use. Not a general
// regular expression parser: anything else is an error, so that a typing mistake cannot pass as a literal.
#include "model/tokenizer/pattern_parser.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "util/unicode.h"

namespace pensieve::model {
namespace {

struct NamedClass {
  std::string_view name;
  ClassBits classes;
};
constexpr std::array kClasses{
    NamedClass{"L", kLetter},     NamedClass{"Lu", kUppercase}, NamedClass{"Ll", kLowercase},
    NamedClass{"Lt", kTitlecase}, NamedClass{"Lm", kModifier},  NamedClass{"Lo", kOtherLetter},
    NamedClass{"M", kMark},       NamedClass{"N", kNumber},     NamedClass{"P", kPunctuation},
    NamedClass{"S", kSymbol},     NamedClass{"Han", kHan},
};

class PatternParser {
 public:
  explicit PatternParser(std::string_view text) : text_(text) {}

  Result<std::vector<PatternSequence>> run() {
    auto alternatives = parse_alternatives(false);
    if (at_ != text_.size()) problem("an unexpected ')'");
    if (!problem_.empty()) return fail(Error::Code::internal, problem_);
    return alternatives;
  }

 private:
  void problem(std::string_view what) {
    if (problem_.empty()) problem_ = fmt::format("pattern {} at byte {}: {}", text_, at_, what);
    at_ = text_.size();
  }
  bool more() const { return at_ < text_.size(); }
  bool take(std::string_view wanted) {
    if (!text_.substr(at_).starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }
  char32_t take_character() {
    if (!more()) {
      problem("it ends too early");
      return 0;
    }
    const util::CodePoint point = util::decode_utf8(text_, at_);
    at_ += point.size;
    return point.value;
  }

  std::vector<PatternSequence> parse_alternatives(bool any_case) {
    std::vector<PatternSequence> alternatives;
    do {
      PatternSequence sequence;
      while (more() && text_[at_] != '|' && text_[at_] != ')') sequence.push_back(parse_item(any_case));
      if (sequence.empty()) problem("an empty alternative");
      alternatives.push_back(std::move(sequence));
    } while (take("|"));
    return alternatives;
  }

  PatternNode parse_item(bool any_case) {
    PatternNode node;
    if (take("(?!")) {
      node.kind = PatternNode::Kind::absent;
      node.set = parse_set(false);
      if (!take(")")) problem("look-ahead over more than one set");
      return node;
    }
    if (take("$")) {
      node.kind = PatternNode::Kind::end;
      return node;
    }
    if (take("(")) {
      node.kind = PatternNode::Kind::group;
      const bool group_any_case = take("?i:");
      if (!group_any_case) take("?:");
      node.alternatives = parse_alternatives(any_case || group_any_case);
      if (!take(")")) problem("a group without its ')'");
    } else {
      node.set = parse_set(any_case);
    }
    parse_quantifier(node);
    return node;
  }

  void parse_quantifier(PatternNode& node) {
    if (take("?")) {
      node.least = 0;
    } else if (take("*")) {
      node.least = 0;
      node.most = Pattern::kUnbounded;
    } else if (take("+")) {
      node.most = Pattern::kUnbounded;
    } else if (take("{")) {
      node.least = node.most = parse_number();
      if (take(",")) node.most = parse_number();
      if (!take("}")) problem("a count without its '}'");
      if (node.most < node.least || node.most == 0) problem("a count that cannot be met");
    }
  }

  std::uint32_t parse_number() {
    std::uint32_t value = 0;
    bool any = false;
    for (; more() && text_[at_] >= '0' && text_[at_] <= '9' && value < 1000000; ++at_, any = true) {
      value = value * 10 + static_cast<std::uint32_t>(text_[at_] - '0');
    }
    if (!any) problem("a count was expected");
    return value;
  }

  // One literal, escape or bracket.
  CharacterSet parse_set(bool any_case) {
    CharacterSet set;
    if (take("[")) {
      parse_bracket(set);
    } else if (!parse_class(set)) {
      if (more() && std::string_view("?*+{}[]().^").find(text_[at_]) != std::string_view::npos)
        problem("a misplaced sign");
      const char32_t value = parse_literal();
      add_literal(set, value, any_case);
    }
    set.finish();
    return set;
  }

  static void add_literal(CharacterSet& set, char32_t value, bool any_case) {
    set.add(value, value);
    const bool letter = (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z');
    if (any_case && letter) set.add(value ^ 0x20, value ^ 0x20);
  }

  void parse_bracket(CharacterSet& set) {
    if (take("^")) set.negate();
    while (more() && text_[at_] != ']') {
      if (take("&&[^")) {
        while (more() && text_[at_] != ']') set.exclude_classes(parse_class_bits());
        take("]");
        continue;
      }
      if (parse_class(set)) continue;
      const char32_t first = parse_literal();
      char32_t last = first;
      if (text_.substr(at_).starts_with("-") && !text_.substr(at_).starts_with("-]")) {
        take("-");
        last = parse_literal();
      }
      if (last < first) problem("a range that ends before it begins");
      set.add(first, last);
    }
    if (!take("]")) problem("a set without its ']'");
  }

  ClassBits parse_class_bits() {
    if (take("\\p{")) {
      const std::size_t end = text_.find('}', at_);
      const std::string_view name = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
      for (const NamedClass& known : kClasses) {
        if (known.name == name && end != std::string_view::npos) {
          at_ = end + 1;
          return known.classes;
        }
      }
    }
    problem("an unknown class");
    return 0;
  }

  // \p{...}, \s, \S, \d; false, and nothing taken, for anything else. \d is ASCII, as in the reference's
  // expressions.
  bool parse_class(CharacterSet& set) {
    if (text_.substr(at_).starts_with("\\p{")) {
      set.add_classes(parse_class_bits());
    } else if (take("\\s")) {
      set.add_classes(kSpace);
    } else if (take("\\S")) {
      set.add_not_classes(kSpace);
    } else if (take("\\d")) {
      set.add('0', '9');
    } else {
      return false;
    }
    return true;
  }

  char32_t parse_literal() {
    if (!take("\\")) return take_character();
    const char32_t value = take_character();
    switch (value) {
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case 't':
        return '\t';
      default:
        break;
    }
    const bool word =
        (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z') || (value >= '0' && value <= '9');
    if (word) problem("an unknown escape");
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string problem_;
};

}  // namespace

Result<std::vector<PatternSequence>> parse_pattern(std::string_view expression) {
  return PatternParser(expression).run();
}

}  // namespace pensieve::model
