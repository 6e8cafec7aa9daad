// Value: anything an expression of a template can yield, cheap to copy. Lists and dicts are immutable, as the
// sandbox that templates are written for denies every method that changes them. Not here: what operations do
// with values (operators.h, printing.h, filters.h, methods.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/chat/jinja/text.h"

namespace pensieve::model::jinja {

class Evaluator;
class Object;
class Value;
struct Arguments;
struct Dict;
struct List;

using ListPtr = std::shared_ptr<const List>;
using DictPtr = std::shared_ptr<const Dict>;
using ObjectPtr = std::shared_ptr<Object>;

// The order is that of Value's variant.
enum class Kind : std::uint8_t { undefined, none, boolean, integer, real, text, list, dict, object };

struct None {};
// The answer to a missing name, attribute or item: prints as nothing, any other use fails with `what`.
struct Undefined {
  std::shared_ptr<const std::string> what;
};

// shared_ptr because values are copied freely and what they point to does not change; nothing owned this way
// can own itself: containers exist before what holds them, and namespaces and scopes are owned by the
// evaluator.
class Value {
 public:
  Value() = default;
  explicit Value(None) : data_(None{}) {}
  explicit Value(Undefined undefined) : data_(std::move(undefined)) {}
  template <class T>
  requires std::is_same_v<T, bool>
  explicit Value(T boolean) : data_(boolean) {}
  explicit Value(std::int64_t integer) : data_(integer) {}
  explicit Value(double real) : data_(real) {}
  explicit Value(Text text) : data_(std::move(text)) {}
  explicit Value(ListPtr list) : data_(std::move(list)) {}
  explicit Value(DictPtr dict) : data_(std::move(dict)) {}
  explicit Value(ObjectPtr object) : data_(std::move(object)) {}
  static Value none() { return Value(None{}); }
  static Value size(std::size_t count) { return Value(static_cast<std::int64_t>(count)); }
  static Value undefined(std::string what) {
    return Value(Undefined{std::make_shared<const std::string>(std::move(what))});
  }

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_number() const { return is(Kind::boolean) || is(Kind::integer) || is(Kind::real); }
  bool is_integral() const { return is(Kind::boolean) || is(Kind::integer); }

  // Each requires its kind.
  bool boolean() const { return std::get<bool>(data_); }
  std::int64_t integer() const {
    return is(Kind::boolean) ? std::get<bool>(data_) : std::get<std::int64_t>(data_);
  }
  double real() const { return is(Kind::real) ? std::get<double>(data_) : static_cast<double>(integer()); }
  const Text& text() const { return std::get<Text>(data_); }
  std::string_view view() const { return text().view(); }
  const ListPtr& list() const { return std::get<ListPtr>(data_); }
  const DictPtr& dict() const { return std::get<DictPtr>(data_); }
  const ObjectPtr& object() const { return std::get<ObjectPtr>(data_); }

  // What an undefined value says when it is used.
  std::string undefined_reason() const;
  bool truthy() const;
  // Python's name of the type: 'str', 'NoneType', 'dict_items' ...
  std::string_view type_name() const;
  // Levels of containers and objects in it; 0 for scalars.
  std::uint32_t depth() const;

 private:
  std::variant<Undefined, None, bool, std::int64_t, double, Text, ListPtr, DictPtr, ObjectPtr> data_;
};

// Nesting that a template may build; destruction, printing and comparison recurse this deep.
inline constexpr std::uint32_t kDeepest = 100;

// Sequences differ in how they print and in what they allow; all are materialised.
// A `group` is what groupby yields: a tuple whose two items are also named.
enum class ListForm : std::uint8_t {
  list,
  tuple,
  group,
  generator,
  items_view,
  keys_view,
  values_view,
  range
};

struct List {
  std::vector<Value> items;
  ListForm form = ListForm::list;
  std::uint32_t depth = 1;
  mutable bool consumed = false;  // a generator yields its items once
  Charge charge;

  bool has_length() const { return form != ListForm::generator; }
  bool indexable() const { return form <= ListForm::group || form == ListForm::range; }
};

struct Dict {
  struct Entry {
    Value key, value;
  };
  std::vector<Entry> entries;          // in order of insertion, keys unique and hashable
  std::vector<std::uint32_t> by_text;  // indices of the text keys, sorted; empty for small dicts
  std::uint32_t depth = 1;
  Charge charge;

  const Value* find(std::string_view key) const;
  const Value* find(Budget& budget, const Value& key) const;
};

// Each pays per item. Without a budget (constants, inputs) nothing is counted.
class ListBuilder {
 public:
  explicit ListBuilder(Budget* budget) : budget_(budget), charge_(budget) {}
  void push(Value value) {
    if (budget_ != nullptr) budget_->step();
    charge_.grow(sizeof(Value));
    items_.push_back(std::move(value));
  }
  std::size_t size() const { return items_.size(); }
  std::vector<Value>& items() { return items_; }
  Value finish(ListForm form = ListForm::list) &&;
  ListPtr finish_list(ListForm form = ListForm::list) &&;

 private:
  Budget* budget_;
  Charge charge_;
  std::vector<Value> items_;
};

class DictBuilder {
 public:
  explicit DictBuilder(Budget* budget) : budget_(budget), charge_(budget) {}
  // A later value replaces an earlier one of the same key. Keys that cannot be hashed fail.
  void set(Value key, Value value);
  std::size_t size() const { return entries_.size(); }
  Value finish() &&;

 private:
  void drop_duplicates(Dict& dict) const;
  Budget* budget_;
  Charge charge_;
  std::vector<Dict::Entry> entries_;
};

// What has identity or state: loops, namespaces, macros, functions. Held by values like any other.
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string_view type_name() const = 0;
  virtual std::optional<Value> attribute(Evaluator&, std::string_view) { return std::nullopt; }
  virtual bool callable() const { return false; }
  virtual Value call(Evaluator& evaluator, const Arguments& arguments);
  virtual std::string describe() const;  // its repr()
  std::uint32_t depth = 1;               // 1 + the deepest value it holds
  Charge charge;
};

// Makes an object that pays for itself and what it holds.
template <class T, class... Fields>
std::shared_ptr<T> make_object(Budget& budget, std::uint32_t held_depth, Fields&&... fields) {
  if (held_depth >= kDeepest) fail_runtime("values are nested too deep");
  budget.step();
  Charge charge(&budget, sizeof(T) + 64);
  auto object = std::make_shared<T>(std::forward<Fields>(fields)...);
  object->depth = held_depth + 1;
  object->charge = std::move(charge);
  return object;
}

// What a call passes.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<Text, Value>> named;
};

bool hashable(const Value& value);

}  // namespace pensieve::model::jinja
