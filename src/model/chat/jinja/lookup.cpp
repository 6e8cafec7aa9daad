// Evaluator: attributes, items and iteration of values, with the order of look-up that Jinja's sandbox has:
// `a.b` tries methods before keys, `a["b"]` keys before methods.
#include <fmt/format.h>

#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/methods.h"
#include "model/chat/jinja/objects.h"
#include "model/chat/jinja/operators.h"

namespace pensieve::model::jinja {
namespace {

std::string describe(const Value& object) {
  return object.is(Kind::none) ? "'None'" : fmt::format("'{} object'", object.type_name());
}

Value missing_attribute(const Value& object, std::string_view name) {
  return Value::undefined(fmt::format("{} has no attribute '{}'", describe(object), excerpt(name)));
}

// What only attribute syntax finds: methods, attributes of objects, names of a group's parts.
std::optional<Value> python_attribute(Evaluator& evaluator, const Value& object, std::string_view name) {
  if (object.is(Kind::object)) return object.object()->attribute(evaluator, name);
  if (const Method* method = find_method(object, name)) {
    return Value(ObjectPtr(make_object<BoundMethod>(evaluator.budget(), object.depth(), object, *method)));
  }
  if (is_denied_method(object, name)) {
    return Value::undefined(
        fmt::format("access to attribute '{}' of '{}' object is unsafe", name, object.type_name()));
  }
  if (object.is(Kind::list) && object.list()->form == ListForm::group) {
    if (name == "grouper") return object.list()->items[0];
    if (name == "list") return object.list()->items[1];
  }
  return std::nullopt;
}

}  // namespace

Value Evaluator::attribute(const Value& object, const Text& name) {
  require_defined(object);
  if (std::optional<Value> found = python_attribute(*this, object, name.view())) return *found;
  if (object.is(Kind::dict)) {
    if (const Value* value = object.dict()->find(name.view())) return *value;
  }
  return missing_attribute(object, name.view());
}

Value Evaluator::item(const Value& object, const Value& key) {
  require_defined(object);
  if (object.is(Kind::dict) && hashable(key)) {
    budget_.step(1 + object.dict()->entries.size() / 64);
    if (const Value* value = object.dict()->find(budget_, key)) return *value;
  }
  if (key.is(Kind::text)) {
    if (std::optional<Value> found = python_attribute(*this, object, key.view())) return *found;
    return missing_attribute(object, key.view());
  }
  const bool text = object.is(Kind::text);
  if (key.is_integral() && (text || (object.is(Kind::list) && object.list()->indexable()))) {
    const std::size_t length = text ? object.text().length() : object.list()->items.size();
    std::int64_t index = key.integer();
    if (index < 0) index += static_cast<std::int64_t>(length);
    if (index >= 0 && static_cast<std::size_t>(index) < length) {
      const auto place = static_cast<std::size_t>(index);
      if (!text) return object.list()->items[place];
      if (!object.text().ascii()) budget_.scan(object.text().size());
      const std::size_t begin = object.text().position(place);
      return Value(slice(budget_, object.text(), begin, begin + character_size(object.view(), begin)));
    }
  }
  require_defined(key);
  return Value::undefined(
      fmt::format("{} has no element {}", describe(object),
                  key.is_integral() ? std::to_string(key.integer()) : std::string(key.type_name())));
}

ListPtr Evaluator::iterate(const Value& value) {
  switch (value.kind()) {
    case Kind::list:
      if (value.list()->form == ListForm::generator && std::exchange(value.list()->consumed, true))
        return std::make_shared<List>();
      return value.list();
    case Kind::undefined:
      return std::make_shared<List>();
    case Kind::dict: {
      ListBuilder keys(&budget_);
      for (const Dict::Entry& entry : value.dict()->entries) keys.push(entry.key);
      return std::move(keys).finish_list();
    }
    case Kind::text: {
      ListBuilder characters(&budget_);
      const Text& text = value.text();
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = character_size(text.view(), at);
        characters.push(Value(slice(budget_, text, at, at + size)));
        at += size;
      }
      return std::move(characters).finish_list();
    }
    default:
      fail_runtime(fmt::format("'{}' object is not iterable", value.type_name()));
  }
}

}  // namespace pensieve::model::jinja
