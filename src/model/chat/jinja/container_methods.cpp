// Methods of dicts, lists and tuples, the look-up of methods of all kinds, and what the sandbox denies.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/methods.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"

namespace pensieve::model::jinja {
namespace {

Value get(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Parameters parameters("get", arguments, {"key", "default"}, 1);
  const Dict& dict = *self.dict();
  evaluator.budget().step(1 + dict.entries.size() / 64);
  const Value* value = dict.find(evaluator.budget(), parameters.value(0));
  return value != nullptr ? *value : parameters.value_or(1, Value::none());
}

Value items(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  Parameters("items", arguments, {});
  ListBuilder pairs(&evaluator.budget());
  for (const Dict::Entry& entry : self.dict()->entries) {
    ListBuilder pair(&evaluator.budget());
    pair.push(entry.key);
    pair.push(entry.value);
    pairs.push(std::move(pair).finish(ListForm::tuple));
  }
  return std::move(pairs).finish(ListForm::items_view);
}

template <Value Dict::Entry::*part, ListForm form>
Value view(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  Parameters("dict view", arguments, {});
  ListBuilder parts(&evaluator.budget());
  for (const Dict::Entry& entry : self.dict()->entries) parts.push(entry.*part);
  return std::move(parts).finish(form);
}

Value copy(Evaluator&, const Value& self, const Arguments& arguments) {
  Parameters("copy", arguments, {});
  return self;
}

Value index(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Value& wanted = Parameters("index", arguments, {"value"}, 1).value(0);
  const std::vector<Value>& all = self.list()->items;
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const Value& item) { return equal(evaluator.budget(), item, wanted); });
  if (at == all.end()) fail_runtime("value is not in list");
  return Value(static_cast<std::int64_t>(at - all.begin()));
}

Value count(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Value& wanted = Parameters("count", arguments, {"value"}, 1).value(0);
  const std::vector<Value>& all = self.list()->items;
  return Value(static_cast<std::int64_t>(std::count_if(
      all.begin(), all.end(), [&](const Value& item) { return equal(evaluator.budget(), item, wanted); })));
}

constexpr std::array<Method, 5> kDictMethods{{
    {"get", get},
    {"items", items},
    {"keys", view<&Dict::Entry::key, ListForm::keys_view>},
    {"values", view<&Dict::Entry::value, ListForm::values_view>},
    {"copy", copy},
}};

constexpr std::array<Method, 3> kListMethods{{{"index", index}, {"count", count}, {"copy", copy}}};

constexpr std::array<std::string_view, 5> kDeniedOfDict{"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::array<std::string_view, 8> kDeniedOfList{"append", "clear",  "extend",  "insert",
                                                        "pop",    "remove", "reverse", "sort"};

const Method* find_in(std::span<const Method> methods, std::string_view name) {
  const auto at = std::find_if(methods.begin(), methods.end(),
                               [name](const Method& method) { return method.name == name; });
  return at == methods.end() ? nullptr : &*at;
}

}  // namespace

const Method* find_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Kind::dict:
      return find_in(kDictMethods, name);
    case Kind::list:
      return self.list()->indexable() ? find_in(kListMethods, name) : nullptr;
    case Kind::text: {
      const Method* method = find_in(text_methods(), name);
      return method != nullptr ? method : find_in(text_search_methods(), name);
    }
    default:
      return nullptr;
  }
}

bool is_denied_method(const Value& self, std::string_view name) {
  if (self.is(Kind::dict))
    return std::find(kDeniedOfDict.begin(), kDeniedOfDict.end(), name) != kDeniedOfDict.end();
  if (!self.is(Kind::list) || self.list()->form != ListForm::list) return false;
  return std::find(kDeniedOfList.begin(), kDeniedOfList.end(), name) != kDeniedOfList.end();
}

}  // namespace pensieve::model::jinja
