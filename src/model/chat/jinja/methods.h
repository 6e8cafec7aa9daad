// The registry of methods that values have: those of Python's str, dict, list and tuple that change nothing.
#pragma once

#include <span>
#include <string_view>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

struct Method {
  std::string_view name;
  Value (*apply)(Evaluator&, const Value& self, const Arguments&);
};

const Method* find_method(const Value& self, std::string_view name);
// Methods that exist in Python but change their value: the sandbox denies them.
bool is_denied_method(const Value& self, std::string_view name);

std::span<const Method> text_methods();
std::span<const Method> text_search_methods();

}  // namespace pensieve::model::jinja
