// The operators of expressions on values, with Python's meaning. Whatever grows is paid for before it is
// made; integers are 64 bits wide and an overflow is an error.
#pragma once

#include <compare>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

Value add(Budget& budget, const Value& left, const Value& right);
Value subtract(Budget& budget, const Value& left, const Value& right);
Value multiply(Budget& budget, const Value& left, const Value& right);
Value divide(const Value& left, const Value& right);
Value floor_divide(const Value& left, const Value& right);
Value modulo(Budget& budget, const Value& left,
             const Value& right);  // printf formatting when `left` is a text
Value power(const Value& left, const Value& right);
Value negate(const Value& value);

bool equal(Budget& budget, const Value& left, const Value& right);
// The order of two values; unordered only for NaN. Kinds that Python cannot order fail, naming `symbol`.
std::partial_ordering order(Budget& budget, const Value& left, const Value& right,
                            std::string_view symbol = "<");
// `item in container`.
bool contains(Budget& budget, const Value& container, const Value& item);

// An undefined value must not take part in operations: fails with its own message.
void require_defined(const Value& value);

// First or last place of `needle` at or after `from`, npos when absent; linear in the sizes.
std::size_t find(Budget& budget, std::string_view text, std::string_view needle, std::size_t from = 0);
std::size_t find_last(Budget& budget, std::string_view text, std::string_view needle);

}  // namespace pensieve::model::jinja
