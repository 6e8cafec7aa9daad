// Filters that apply other filters and tests to the items of a sequence, and those that fall back or reach
// in.
#include <fmt/format.h>

#include <array>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/filters.h"
#include "model/chat/jinja/item_access.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"

namespace pensieve::model::jinja {
namespace {

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(count),
                         arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

// These filters take whatever is false, none included, for an empty sequence.
ListPtr items_of(Evaluator& evaluator, const Value& input) {
  return input.truthy() ? evaluator.iterate(input) : std::make_shared<List>();
}

Value map_attribute(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("map", arguments, {"attribute", "default"}, 1);
  const AttributePath path(parameters.value(0));
  ListBuilder mapped(&evaluator.budget());
  const ListPtr items = items_of(evaluator, input);
  for (const Value& item : items->items) {
    Value value = path.get(evaluator, item);
    mapped.push(value.is(Kind::undefined) && parameters.find(1) != nullptr ? parameters.value(1)
                                                                           : std::move(value));
  }
  return std::move(mapped).finish(ListForm::generator);
}

Value map(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  if (arguments.positional.empty()) return map_attribute(evaluator, input, arguments);
  const Arguments rest = without_first(arguments, 1);
  ListBuilder mapped(&evaluator.budget());
  const ListPtr items = items_of(evaluator, input);
  for (const Value& item : items->items)
    mapped.push(evaluator.apply_filter(arguments.positional[0], item, rest));
  return std::move(mapped).finish(ListForm::generator);
}

// select, reject, selectattr, rejectattr: keeps the items for which the test holds (or does not).
template <bool keep, bool by_attribute>
Value choose(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const std::size_t used = by_attribute ? 1 : 0;
  if (arguments.positional.size() < used) fail_runtime("the filter needs the name of an attribute");
  const AttributePath path = by_attribute ? AttributePath(arguments.positional[0]) : AttributePath();
  const bool tested = arguments.positional.size() > used;
  const Arguments rest = tested ? without_first(arguments, used + 1) : Arguments{};
  ListBuilder kept(&evaluator.budget());
  const ListPtr items = items_of(evaluator, input);
  for (const Value& item : items->items) {
    evaluator.budget().step();
    const Value subject = path.get(evaluator, item);
    const bool holds =
        tested ? evaluator.apply_test(arguments.positional[used], subject, rest) : subject.truthy();
    if (holds == keep) kept.push(item);
  }
  return std::move(kept).finish(ListForm::generator);
}

Value fallback(Evaluator&, const Value& input, const Arguments& arguments) {
  const Parameters parameters("default", arguments, {"default_value", "boolean"});
  const bool missing = input.is(Kind::undefined) || (parameters.flag(1) && !input.truthy());
  return missing ? parameters.value_or(0, Value(Text())) : input;
}

Value attr(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Text name = Parameters("attr", arguments, {"name"}, 1).text(0);
  if (input.is(Kind::dict))
    return Value::undefined(fmt::format("'dict object' has no attribute '{}'", excerpt(name.view())));
  return evaluator.attribute(input, name);
}

constexpr std::array<FilterEntry, 8> kFilters{{
    {"map", map},
    {"select", choose<true, false>},
    {"reject", choose<false, false>},
    {"selectattr", choose<true, true>},
    {"rejectattr", choose<false, true>},
    {"default", fallback},
    {"d", fallback},
    {"attr", attr},
}};

}  // namespace

std::span<const FilterEntry> selection_filters() {
  return kFilters;
}

}  // namespace pensieve::model::jinja
