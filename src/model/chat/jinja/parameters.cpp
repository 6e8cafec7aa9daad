// Matching of arguments to parameters.
#include "model/chat/jinja/parameters.h"

#include <fmt/format.h>

#include <algorithm>

namespace pensieve::model::jinja {

Parameters::Parameters(std::string_view callee, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, std::size_t required)
    : callee_(callee) {
  std::copy(names.begin(), names.end(), names_.begin());
  if (arguments.positional.size() > names.size()) {
    fail_runtime(fmt::format("{}() takes at most {} arguments, {} given", callee, names.size(),
                             arguments.positional.size()));
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto at = std::find(names.begin(), names.end(), name.view());
    if (at == names.end())
      fail_runtime(fmt::format("{}() has no parameter '{}'", callee, excerpt(name.view())));
    const Value*& slot = values_[static_cast<std::size_t>(at - names.begin())];
    if (slot != nullptr) fail_runtime(fmt::format("{}() got several values for '{}'", callee, name.view()));
    slot = &value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (values_[i] == nullptr) fail_runtime(fmt::format("{}() needs the argument '{}'", callee, names_[i]));
  }
}

void Parameters::fail_kind(std::size_t index, std::string_view expected) const {
  const Value& value = *values_[index];
  if (value.is(Kind::undefined)) fail_runtime(value.undefined_reason());
  fail_runtime(
      fmt::format("{}(): '{}' must be {}, not {}", callee_, names_[index], expected, value.type_name()));
}

const Text& Parameters::text(std::size_t index) const {
  if (!values_[index]->is(Kind::text)) fail_kind(index, "str");
  return values_[index]->text();
}

std::int64_t Parameters::integer(std::size_t index) const {
  if (!values_[index]->is_integral()) fail_kind(index, "int");
  return values_[index]->integer();
}

}  // namespace pensieve::model::jinja
