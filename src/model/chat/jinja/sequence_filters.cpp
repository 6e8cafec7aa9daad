// Filters that take sequences apart, order them or put them together.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/filters.h"
#include "model/chat/jinja/item_access.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"
#include "model/chat/jinja/printing.h"

namespace pensieve::model::jinja {
namespace {

Value length(Evaluator&, const Value& input, const Arguments& arguments) {
  Parameters("length", arguments, {});
  switch (input.kind()) {
    case Kind::undefined:
      return Value(std::int64_t{0});
    case Kind::text:
      return Value::size(input.text().length());
    case Kind::dict:
      return Value::size(input.dict()->entries.size());
    case Kind::list:
      if (input.list()->has_length()) return Value::size(input.list()->items.size());
      break;
    default:
      break;
  }
  fail_runtime(fmt::format("object of type '{}' has no len()", input.type_name()));
}

Value first(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("first", arguments, {});
  if (input.is(Kind::text) && !input.text().empty()) {
    return Value(slice(evaluator.budget(), input.text(), 0, character_size(input.view(), 0)));
  }
  const ListPtr items = evaluator.iterate(input);
  return items->items.empty() ? Value::undefined("no first item, sequence was empty") : items->items.front();
}

Value last(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("last", arguments, {});
  if (input.is(Kind::text) && !input.text().empty()) return evaluator.item(input, Value(std::int64_t{-1}));
  const ListPtr items = evaluator.iterate(input);
  return items->items.empty() ? Value::undefined("no last item, sequence was empty") : items->items.back();
}

Value as_list(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("list", arguments, {});
  const ListPtr items = evaluator.iterate(input);
  ListBuilder list(&evaluator.budget());
  for (const Value& item : items->items) list.push(item);
  return std::move(list).finish();
}

Value pairs_of(Evaluator& evaluator, const std::vector<Dict::Entry>& entries, ListForm form) {
  ListBuilder pairs(&evaluator.budget());
  for (const Dict::Entry& entry : entries) {
    ListBuilder pair(&evaluator.budget());
    pair.push(entry.key);
    pair.push(entry.value);
    pairs.push(std::move(pair).finish(ListForm::tuple));
  }
  return std::move(pairs).finish(form);
}

Value items(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("items", arguments, {});
  if (input.is(Kind::undefined)) return pairs_of(evaluator, {}, ListForm::generator);
  if (!input.is(Kind::dict)) fail_runtime("can only get item pairs from a mapping");
  return pairs_of(evaluator, input.dict()->entries, ListForm::generator);
}

Value join(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("join", arguments, {"d", "attribute"});
  Budget& budget = evaluator.budget();
  const Text separator = to_text(budget, parameters.value_or(0, Value(Text())));
  const AttributePath path(parameters.value_or(1, Value::none()));
  const ListPtr items = evaluator.iterate(input);
  TextBuilder out(budget);
  bool first_item = true;
  for (const Value& item : items->items) {
    budget.step();
    if (!first_item) out.append(separator);
    first_item = false;
    append_text(out, path.get(evaluator, item));
  }
  return Value(std::move(out).finish());
}

struct Keyed {
  Value key, item;
};

std::vector<Keyed> keyed(Evaluator& evaluator, const ListPtr& items, const AttributePath& path,
                         bool case_sensitive) {
  std::vector<Keyed> all;
  for (const Value& item : items->items) {
    evaluator.budget().step();
    all.push_back({sort_key(evaluator, path.get(evaluator, item), case_sensitive), item});
  }
  return all;
}

void sort_keyed(Evaluator& evaluator, std::vector<Keyed>& all, bool reverse) {
  // A merge sort keeps equal items in place and stays within bounds even when NaN makes the order
  // inconsistent.
  std::stable_sort(all.begin(), all.end(), [&](const Keyed& a, const Keyed& b) {
    return (reverse ? order(evaluator.budget(), b.key, a.key) : order(evaluator.budget(), a.key, b.key)) < 0;
  });
}

Value sort(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const ListPtr items = evaluator.iterate(input);
  const Charge charge(&evaluator.budget(), items->items.size() * sizeof(Keyed) * 2);
  const AttributePath path(parameters.value_or(2, Value::none()));
  std::vector<Keyed> all = keyed(evaluator, items, path, parameters.flag(1));
  sort_keyed(evaluator, all, parameters.flag(0));
  ListBuilder sorted(&evaluator.budget());
  for (Keyed& each : all) sorted.push(std::move(each.item));
  return std::move(sorted).finish();
}

Value dictsort(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  require_defined(input);
  if (!input.is(Kind::dict)) fail_runtime(fmt::format("dictsort needs a mapping, not {}", input.type_name()));
  const Text by = parameters.text_or(1, Text("key"));
  if (by.view() != "key" && by.view() != "value") fail_runtime("dictsort(): by must be 'key' or 'value'");
  const Value pairs = pairs_of(evaluator, input.dict()->entries, ListForm::list);
  const Charge charge(&evaluator.budget(), pairs.list()->items.size() * sizeof(Keyed) * 2);
  const AttributePath path(Value(std::int64_t{by.view() == "value"}));
  std::vector<Keyed> all = keyed(evaluator, pairs.list(), path, parameters.flag(0));
  sort_keyed(evaluator, all, parameters.flag(2));
  ListBuilder sorted(&evaluator.budget());
  for (Keyed& each : all) sorted.push(std::move(each.item));
  return std::move(sorted).finish();
}

Value unique(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("unique", arguments, {"case_sensitive", "attribute"});
  const ListPtr items = evaluator.iterate(input);
  const Charge charge(&evaluator.budget(), items->items.size() * sizeof(Keyed));
  const AttributePath path(parameters.value_or(1, Value::none()));
  ListBuilder kept(&evaluator.budget());
  std::vector<Value> seen;
  for (Keyed& each : keyed(evaluator, items, path, parameters.flag(0))) {
    if (!hashable(each.key)) fail_runtime(fmt::format("unhashable type: '{}'", each.key.type_name()));
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const Value& key) { return equal(evaluator.budget(), key, each.key); }))
      continue;
    seen.push_back(std::move(each.key));
    kept.push(std::move(each.item));
  }
  return std::move(kept).finish(ListForm::generator);
}

template <bool smallest>
Value extreme(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters(smallest ? "min" : "max", arguments, {"case_sensitive", "attribute"});
  const ListPtr items = evaluator.iterate(input);
  if (items->items.empty()) return Value::undefined("no aggregated item, sequence was empty");
  const Charge charge(&evaluator.budget(), items->items.size() * sizeof(Keyed));
  const AttributePath path(parameters.value_or(1, Value::none()));
  const std::vector<Keyed> all = keyed(evaluator, items, path, parameters.flag(0));
  const Keyed* best = &all.front();
  for (const Keyed& each : all) {
    if (smallest ? order(evaluator.budget(), each.key, best->key) < 0
                 : order(evaluator.budget(), each.key, best->key, ">") > 0)
      best = &each;
  }
  return best->item;
}

Value reverse(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  Parameters("reverse", arguments, {});
  if (input.is(Kind::text)) {
    Budget& budget = evaluator.budget();
    const Text& text = input.text();
    const Charge charge(&budget, text.size());
    budget.scan(text.size());
    std::string bytes;
    for (std::size_t end = text.size(); end > 0;) {
      std::size_t at = end - 1;
      while (at > 0 && (static_cast<unsigned char>(text.view()[at]) & 0xC0) == 0x80) --at;
      bytes += text.view().substr(at, end - at);
      end = at;
    }
    return Value(derive(budget, bytes, text));
  }
  const ListPtr items = evaluator.iterate(input);
  ListBuilder reversed(&evaluator.budget());
  for (auto item = items->items.rbegin(); item != items->items.rend(); ++item) reversed.push(*item);
  return std::move(reversed).finish(ListForm::generator);
}

Value groupby(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const ListPtr items = evaluator.iterate(input);
  Budget& budget = evaluator.budget();
  const Charge charge(&budget, items->items.size() * sizeof(Keyed) * 2);
  const AttributePath path(parameters.value(0));
  const auto value_of = [&](const Value& item) {
    Value value = path.get(evaluator, item);
    return value.is(Kind::undefined) && parameters.given(1) ? parameters.value(1) : value;
  };
  std::vector<Keyed> all;
  for (const Value& item : items->items) {
    budget.step();
    all.push_back({sort_key(evaluator, value_of(item), parameters.flag(2)), item});
  }
  sort_keyed(evaluator, all, false);
  ListBuilder groups(&budget);
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    ListBuilder members(&budget);
    for (; end < all.size() && equal(budget, all[end].key, all[begin].key); ++end)
      members.push(all[end].item);
    if (end == begin) members.push(all[end++].item);  // NaN differs from itself
    ListBuilder group(&budget);
    group.push(value_of(all[begin].item));
    group.push(std::move(members).finish());
    groups.push(std::move(group).finish(ListForm::group));
  }
  return std::move(groups).finish();
}

Value batch(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t size = parameters.integer(0);
  if (size < 1) fail_runtime(fmt::format("batch(): linecount must be at least 1, not {}", size));
  const ListPtr items = evaluator.iterate(input);
  Budget& budget = evaluator.budget();
  ListBuilder rows(&budget);
  for (std::size_t at = 0; at < items->items.size();) {
    ListBuilder row(&budget);
    for (std::int64_t i = 0; i < size; ++i, ++at) {
      if (at < items->items.size()) {
        row.push(items->items[at]);
      } else if (parameters.given(1)) {
        row.push(parameters.value(1));
      } else {
        break;
      }
    }
    rows.push(std::move(row).finish());
  }
  return std::move(rows).finish(ListForm::generator);
}

Value slice_evenly(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("slice", arguments, {"slices", "fill_with"}, 1);
  const std::int64_t count = parameters.integer(0);
  if (count < 1) fail_runtime(fmt::format("slice(): slices must be at least 1, not {}", count));
  const ListPtr items = evaluator.iterate(input);
  Budget& budget = evaluator.budget();
  const auto total = static_cast<std::int64_t>(items->items.size());
  const std::int64_t even = total / count, longer = total % count;
  ListBuilder columns(&budget);
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    budget.step();
    ListBuilder column(&budget);
    const std::int64_t size = even + (i < longer);
    for (std::int64_t j = 0; j < size; ++j) column.push(items->items[static_cast<std::size_t>(at++)]);
    if (parameters.given(1) && i >= longer) column.push(parameters.value(1));
    columns.push(std::move(column).finish());
  }
  return std::move(columns).finish(ListForm::generator);
}

constexpr std::array<FilterEntry, 16> kFilters{{
    {"length", length},
    {"count", length},
    {"first", first},
    {"last", last},
    {"list", as_list},
    {"items", items},
    {"join", join},
    {"sort", sort},
    {"dictsort", dictsort},
    {"unique", unique},
    {"min", extreme<true>},
    {"max", extreme<false>},
    {"reverse", reverse},
    {"groupby", groupby},
    {"batch", batch},
    {"slice", slice_evenly},
}};

}  // namespace

std::span<const FilterEntry> sequence_filters() {
  return kFilters;
}

}  // namespace pensieve::model::jinja
