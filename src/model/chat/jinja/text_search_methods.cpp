// Methods of texts that search, count and classify. Positions are in characters, as in Python.
#include <fmt/format.h>

#include <array>

#include "model/chat/jinja/characters.h"
#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/methods.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"
#include "model/chat/jinja/slices.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

// self[start:end] as bytes, and the character position where it begins.
struct Window {
  std::string_view bytes;
  std::size_t first;
  bool valid;  // the start lies within the text; otherwise not even an empty text is found
};

Window window(Evaluator& evaluator, const Text& text, const Parameters& parameters) {
  if (!text.ascii()) evaluator.budget().scan(text.size());
  const Value start = parameters.value_or(1, Value::none()), stop = parameters.value_or(2, Value::none());
  const Positions positions = clamp_positions(text.length(), start, stop);
  const std::size_t begin = text.position(positions.begin);
  const bool beyond = start.is_integral() && start.integer() > static_cast<std::int64_t>(text.length());
  return {text.view().substr(begin, text.position(positions.end) - begin), positions.begin, !beyond};
}

std::size_t count_characters(std::string_view bytes) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes.size(); at += character_size(bytes, at)) ++count;
  return count;
}

// The character position of the first or last match, -1 when absent.
std::int64_t search(Evaluator& evaluator, const Value& self, const Arguments& arguments, bool last) {
  const Parameters parameters("find", arguments, {"sub", "start", "end"}, 1);
  const Window text = window(evaluator, self.text(), parameters);
  if (!text.valid) return -1;
  const std::string_view needle = parameters.text(0).view();
  const std::size_t at =
      last ? find_last(evaluator.budget(), text.bytes, needle) : find(evaluator.budget(), text.bytes, needle);
  if (at == std::string_view::npos) return -1;
  evaluator.budget().scan(at);
  return static_cast<std::int64_t>(text.first + count_characters(text.bytes.substr(0, at)));
}

template <bool last>
Value find_method_value(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  return Value(search(evaluator, self, arguments, last));
}

template <bool last>
Value index_method_value(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::int64_t at = search(evaluator, self, arguments, last);
  if (at < 0) fail_runtime("substring not found");
  return Value(at);
}

Value count(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters("count", arguments, {"sub", "start", "end"}, 1);
  const Window text = window(evaluator, self.text(), parameters);
  const std::string_view needle = parameters.text(0).view();
  if (!text.valid) return Value(std::int64_t{0});
  if (needle.empty()) return Value::size(count_characters(text.bytes) + 1);
  std::size_t found = 0;
  for (std::size_t at = find(evaluator.budget(), text.bytes, needle); at != std::string_view::npos; ++found) {
    evaluator.budget().step();
    at = find(evaluator.budget(), text.bytes, needle, at + needle.size());
  }
  return Value::size(found);
}

template <bool at_end>
Value has_affix(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters(at_end ? "endswith" : "startswith", arguments, {"affix", "start", "end"}, 1);
  const Window text = window(evaluator, self.text(), parameters);
  const auto matches = [&](const Value& affix) {
    require_defined(affix);
    if (!affix.is(Kind::text))
      fail_runtime(fmt::format("{} first arg must be str or a tuple of str, not {}",
                               at_end ? "endswith" : "startswith", affix.type_name()));
    evaluator.budget().touch(affix.text().size());
    return text.valid && (at_end ? text.bytes.ends_with(affix.view()) : text.bytes.starts_with(affix.view()));
  };
  const Value& affix = parameters.value(0);
  if (!affix.is(Kind::list) || affix.list()->form != ListForm::tuple) return Value(matches(affix));
  for (const Value& one : affix.list()->items) {
    evaluator.budget().step();
    if (matches(one)) return Value(true);
  }
  return Value(false);
}

// Not empty, and `accepts` holds for every character.
template <bool (*accepts)(char32_t)>
Value all_characters(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  Parameters("str method", arguments, {});
  const std::string_view text = self.view();
  evaluator.budget().scan(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const util::CodePoint point = util::decode_utf8(text, at);
    if (!accepts(point.value)) return Value(false);
    at += point.size;
  }
  return Value(!text.empty());
}

bool letter_or_digit(char32_t c) {
  return is_letter(c) || is_decimal(c);
}

// At least one character of `wanted`, none of `other`.
template <bool (*wanted)(char32_t), bool (*other)(char32_t)>
Value all_cased(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  Parameters("str method", arguments, {});
  const std::string_view text = self.view();
  evaluator.budget().scan(text.size());
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const util::CodePoint point = util::decode_utf8(text, at);
    if (other(point.value)) return Value(false);
    any = any || wanted(point.value);
    at += point.size;
  }
  return Value(any);
}

Value is_ascii(Evaluator&, const Value& self, const Arguments& arguments) {
  Parameters("isascii", arguments, {});
  return Value(self.text().ascii());
}

constexpr std::array<Method, 16> kMethods{{
    {"find", find_method_value<false>},
    {"rfind", find_method_value<true>},
    {"index", index_method_value<false>},
    {"rindex", index_method_value<true>},
    {"count", count},
    {"startswith", has_affix<false>},
    {"endswith", has_affix<true>},
    {"isspace", all_characters<is_space>},
    {"isalpha", all_characters<is_letter>},
    {"isalnum", all_characters<letter_or_digit>},
    {"isdigit", all_characters<is_decimal>},
    {"isdecimal", all_characters<is_decimal>},
    {"isnumeric", all_characters<is_decimal>},
    {"isupper", all_cased<is_upper, is_lower>},
    {"islower", all_cased<is_lower, is_upper>},
    {"isascii", is_ascii},
}};

}  // namespace

std::span<const Method> text_search_methods() {
  return kMethods;
}

}  // namespace pensieve::model::jinja
