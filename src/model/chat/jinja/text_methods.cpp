// Methods of texts that yield texts or lists. Those that search and classify are in text_search_methods.cpp.
#include <fmt/format.h>

#include <array>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/methods.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"
#include "model/chat/jinja/text_format.h"
#include "model/chat/jinja/text_operations.h"

namespace pensieve::model::jinja {
namespace {

template <std::string (*map)(std::string_view)>
Value mapped(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  Parameters("str method", arguments, {});
  return Value(map_text(evaluator.budget(), self.text(), map));
}

template <Side side>
Value stripped(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters("strip", arguments, {"chars"});
  const Text set = parameters.text_or(0, Text());
  if (parameters.given(0) && set.empty()) return self;
  return Value(strip_text(evaluator.budget(), self.text(), set.view(), side));
}

template <bool from_right>
Value split(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters("split", arguments, {"sep", "maxsplit"});
  const std::int64_t limit = parameters.integer_or(1, -1);
  if (!parameters.given(0)) return split_space(evaluator.budget(), self.text(), limit, from_right);
  return split_text(evaluator.budget(), self.text(), parameters.text(0).view(), limit, from_right);
}

Value splitlines(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters("splitlines", arguments, {"keepends"});
  ListBuilder lines(&evaluator.budget());
  for (Text& line : split_lines(evaluator.budget(), self.text(), parameters.flag(0)))
    lines.push(Value(std::move(line)));
  return std::move(lines).finish();
}

template <bool from_right>
Value partition(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Text separator = Parameters("partition", arguments, {"sep"}, 1).text(0);
  if (separator.empty()) fail_runtime("empty separator");
  Budget& budget = evaluator.budget();
  const Text& text = self.text();
  const std::size_t at = from_right ? find_last(budget, text.view(), separator.view())
                                    : find(budget, text.view(), separator.view());
  ListBuilder parts(&budget);
  if (at == std::string_view::npos) {
    if (from_right) parts.push(Value(Text())), parts.push(Value(Text()));
    parts.push(self);
    if (!from_right) parts.push(Value(Text())), parts.push(Value(Text()));
  } else {
    parts.push(Value(slice(budget, text, 0, at)));
    parts.push(Value(slice(budget, text, at, at + separator.size())));
    parts.push(Value(slice(budget, text, at + separator.size(), text.size())));
  }
  return std::move(parts).finish(ListForm::tuple);
}

Value replace(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters("replace", arguments, {"old", "new", "count"}, 2);
  return Value(replace_text(evaluator.budget(), self.text(), parameters.text(0), parameters.text(1),
                            parameters.integer_or(2, -1)));
}

Value join(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const ListPtr items = evaluator.iterate(Parameters("join", arguments, {"iterable"}, 1).value(0));
  TextBuilder out(evaluator.budget());
  for (std::size_t i = 0; i < items->items.size(); ++i) {
    const Value& item = items->items[i];
    if (!item.is(Kind::text))
      fail_runtime(fmt::format("sequence item {}: expected str instance, {} found", i, item.type_name()));
    evaluator.budget().step();
    if (i > 0) out.append(self.text());
    out.append(item.text());
  }
  return Value(std::move(out).finish());
}

Value format(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  return Value(format_braces(evaluator.budget(), self.text(), arguments));
}

template <Pad side>
Value padded(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters("pad", arguments, {"width", "fillchar"}, 1);
  const Text fill = parameters.text_or(1, Text(" "));
  if (fill.length() != 1) fail_runtime("the fill character must be exactly one character long");
  return Value(pad_text(evaluator.budget(), self.text(), parameters.integer(0), fill.view(), side));
}

Value zfill(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::int64_t width = Parameters("zfill", arguments, {"width"}, 1).integer(0);
  const Text& text = self.text();
  const bool sign = !text.empty() && (text.view()[0] == '+' || text.view()[0] == '-');
  if (!sign) return Value(pad_text(evaluator.budget(), text, width, "0", Pad::left));
  TextBuilder out(evaluator.budget());
  out.append(text, 0, 1);
  const Text digits = slice(evaluator.budget(), text, 1, text.size());
  out.append(pad_text(evaluator.budget(), digits, width > 0 ? width - 1 : 0, "0", Pad::left));
  return Value(std::move(out).finish());
}

Value removeprefix(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Text prefix = Parameters("removeprefix", arguments, {"prefix"}, 1).text(0);
  if (!self.view().starts_with(prefix.view())) return self;
  return Value(slice(evaluator.budget(), self.text(), prefix.size(), self.text().size()));
}

Value removesuffix(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Text suffix = Parameters("removesuffix", arguments, {"suffix"}, 1).text(0);
  if (!self.view().ends_with(suffix.view())) return self;
  return Value(slice(evaluator.budget(), self.text(), 0, self.text().size() - suffix.size()));
}

constexpr std::array<Method, 23> kMethods{{
    {"strip", stripped<Side::both>},
    {"lstrip", stripped<Side::left>},
    {"rstrip", stripped<Side::right>},
    {"split", split<false>},
    {"rsplit", split<true>},
    {"splitlines", splitlines},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"replace", replace},
    {"join", join},
    {"format", format},
    {"upper", mapped<to_upper>},
    {"lower", mapped<to_lower>},
    {"casefold", mapped<to_lower>},
    {"title", mapped<to_title>},
    {"capitalize", mapped<capitalize>},
    {"swapcase", mapped<swap_case>},
    {"center", padded<Pad::center>},
    {"ljust", padded<Pad::right>},
    {"rjust", padded<Pad::left>},
    {"zfill", zfill},
    {"removeprefix", removeprefix},
    {"removesuffix", removesuffix},
}};

}  // namespace

std::span<const Method> text_methods() {
  return kMethods;
}

}  // namespace pensieve::model::jinja
