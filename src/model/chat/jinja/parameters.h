// Parameters: the arguments of one call to a filter, test, method or function, matched to names and checked.
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

class Parameters {
 public:
  static constexpr std::size_t kMost = 6;
  // `names` in order; the first `required` of them must be passed. Surplus or unknown arguments fail, naming
  // `callee`.
  Parameters(std::string_view callee, const Arguments& arguments,
             std::initializer_list<std::string_view> names, std::size_t required = 0);

  const Value* find(std::size_t index) const { return values_[index]; }
  // Passed and not none.
  bool given(std::size_t index) const { return values_[index] != nullptr && !values_[index]->is(Kind::none); }
  const Value& value(std::size_t index) const { return *values_[index]; }
  Value value_or(std::size_t index, Value fallback) const {
    return values_[index] != nullptr ? *values_[index] : std::move(fallback);
  }
  const Text& text(std::size_t index) const;
  Text text_or(std::size_t index, Text fallback) const {
    return given(index) ? text(index) : std::move(fallback);
  }
  std::int64_t integer(std::size_t index) const;
  std::int64_t integer_or(std::size_t index, std::int64_t fallback) const {
    return given(index) ? integer(index) : fallback;
  }
  bool flag(std::size_t index, bool fallback = false) const {
    return values_[index] != nullptr ? values_[index]->truthy() : fallback;
  }

 private:
  [[noreturn]] void fail_kind(std::size_t index, std::string_view expected) const;
  std::string_view callee_;
  std::array<const Value*, kMost> values_{};
  std::array<std::string_view, kMost> names_{};
};

}  // namespace pensieve::model::jinja
