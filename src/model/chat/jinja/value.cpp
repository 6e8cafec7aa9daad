// Value, List, Dict and their builders: construction, look-up, truth. Equality of dict keys is the language's
// (operators.h).
#include "model/chat/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/chat/jinja/operators.h"

namespace pensieve::model::jinja {
namespace {

constexpr std::size_t kSmallDict = 8;  // below this a scan beats a binary search

void check_depth(std::uint32_t depth) {
  if (depth > kDeepest) fail_runtime(fmt::format("values are nested deeper than {} levels", kDeepest));
}

}  // namespace

std::string Value::undefined_reason() const {
  const auto& what = std::get<Undefined>(data_).what;
  return what ? *what : "the value is undefined";
}

bool Value::truthy() const {
  switch (kind()) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
      return boolean();
    case Kind::integer:
      return integer() != 0;
    case Kind::real:
      return real() != 0;
    case Kind::text:
      return !text().empty();
    case Kind::list:
      return list()->form == ListForm::generator || !list()->items.empty();
    case Kind::dict:
      return !dict()->entries.empty();
    case Kind::object:
      return true;
  }
  return false;
}

std::string_view Value::type_name() const {
  switch (kind()) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::text:
      return "str";
    case Kind::dict:
      return "dict";
    case Kind::object:
      return object()->type_name();
    case Kind::list:
      break;
  }
  switch (list()->form) {
    case ListForm::list:
      return "list";
    case ListForm::tuple:
    case ListForm::group:
      return "tuple";
    case ListForm::generator:
      return "generator";
    case ListForm::items_view:
      return "dict_items";
    case ListForm::keys_view:
      return "dict_keys";
    case ListForm::values_view:
      return "dict_values";
    case ListForm::range:
      return "range";
  }
  return "list";
}

std::uint32_t Value::depth() const {
  switch (kind()) {
    case Kind::list:
      return list()->depth;
    case Kind::dict:
      return dict()->depth;
    case Kind::object:
      return object()->depth;
    default:
      return 0;
  }
}

const Value* Dict::find(std::string_view key) const {
  if (by_text.empty()) {
    for (const Entry& entry : entries) {
      if (entry.key.is(Kind::text) && entry.key.view() == key) return &entry.value;
    }
    return nullptr;
  }
  auto at = std::lower_bound(
      by_text.begin(), by_text.end(), key,
      [this](std::uint32_t index, std::string_view wanted) { return entries[index].key.view() < wanted; });
  if (at == by_text.end() || entries[*at].key.view() != key) return nullptr;
  return &entries[*at].value;
}

const Value* Dict::find(Budget& budget, const Value& key) const {
  if (key.is(Kind::text)) return find(key.view());
  if (!hashable(key)) fail_runtime(fmt::format("unhashable type: '{}'", key.type_name()));
  for (const Entry& entry : entries) {
    if (equal(budget, entry.key, key)) return &entry.value;
  }
  return nullptr;
}

Value ListBuilder::finish(ListForm form) && {
  return Value(std::move(*this).finish_list(form));
}

ListPtr ListBuilder::finish_list(ListForm form) && {
  charge_.grow(sizeof(List) + 32);
  std::uint32_t depth = 0;
  for (const Value& item : items_) depth = std::max(depth, item.depth());
  check_depth(depth + 1);
  auto list = std::make_shared<List>();
  list->items = std::move(items_);
  list->form = form;
  list->depth = depth + 1;
  list->charge = std::move(charge_);
  return list;
}

void DictBuilder::set(Value key, Value value) {
  if (!hashable(key)) fail_runtime(fmt::format("unhashable type: '{}'", key.type_name()));
  if (budget_ != nullptr) budget_->step(2);  // the second for sorting
  charge_.grow(sizeof(Dict::Entry) + sizeof(std::uint32_t));
  entries_.push_back({std::move(key), std::move(value)});
}

Value DictBuilder::finish() && {
  charge_.grow(sizeof(Dict) + 32);
  auto dict = std::make_shared<Dict>();
  dict->entries = std::move(entries_);
  drop_duplicates(*dict);
  std::uint32_t depth = 0;
  for (const Dict::Entry& entry : dict->entries)
    depth = std::max({depth, entry.key.depth(), entry.value.depth()});
  check_depth(depth + 1);
  dict->depth = depth + 1;
  dict->charge = std::move(charge_);
  return Value(DictPtr(std::move(dict)));
}

// Also makes the index of text keys. Sorting bounds the work whatever the keys are; keys of other kinds are
// rare and compared with one another, each comparison paid for.
void DictBuilder::drop_duplicates(Dict& dict) const {
  auto& entries = dict.entries;
  std::vector<std::uint32_t> texts, others;
  for (std::uint32_t i = 0; i < entries.size(); ++i)
    (entries[i].key.is(Kind::text) ? texts : others).push_back(i);
  std::stable_sort(texts.begin(), texts.end(), [&entries](std::uint32_t a, std::uint32_t b) {
    return entries[a].key.view() < entries[b].key.view();
  });
  std::vector<bool> drop(entries.size());
  std::size_t dropped = 0;
  const auto merge = [&](std::uint32_t first, std::uint32_t later) {
    entries[first].value = std::move(entries[later].value);
    drop[later] = true;
    ++dropped;
  };
  std::uint32_t first = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0 && entries[texts[i]].key.view() == entries[first].key.view()) {
      merge(first, texts[i]);
    } else {
      first = texts[i];
    }
  }
  Budget unlimited(UINT64_MAX, SIZE_MAX);
  for (std::size_t i = 0; i < others.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (drop[others[j]] ||
          !equal(budget_ != nullptr ? *budget_ : unlimited, entries[others[j]].key, entries[others[i]].key))
        continue;
      merge(others[j], others[i]);
      break;
    }
  }
  if (dropped > 0) {
    std::vector<Dict::Entry> kept;
    kept.reserve(entries.size() - dropped);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!drop[i]) kept.push_back(std::move(entries[i]));
    }
    entries = std::move(kept);
  }
  if (entries.size() <= kSmallDict) return;
  texts.clear();
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    if (entries[i].key.is(Kind::text)) texts.push_back(i);
  }
  std::sort(texts.begin(), texts.end(), [&entries](std::uint32_t a, std::uint32_t b) {
    return entries[a].key.view() < entries[b].key.view();
  });
  dict.by_text = std::move(texts);
}

Value Object::call(Evaluator&, const Arguments&) {
  fail_runtime(fmt::format("'{}' object is not callable", type_name()));
}

std::string Object::describe() const {
  return fmt::format("<{} object>", type_name());
}

bool hashable(const Value& value) {
  if (value.is(Kind::dict)) return false;
  if (!value.is(Kind::list)) return true;
  if (value.list()->form != ListForm::tuple) return false;
  return std::all_of(value.list()->items.begin(), value.list()->items.end(), hashable);
}

}  // namespace pensieve::model::jinja
