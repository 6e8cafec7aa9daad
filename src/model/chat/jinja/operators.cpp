// Arithmetic on values. Comparison and search are in comparison.cpp.
#include "model/chat/jinja/operators.h"

#include <fmt/format.h>

#include <cmath>

#include "model/chat/jinja/text_format.h"

namespace pensieve::model::jinja {
namespace {

[[noreturn]] void fail_operands(std::string_view symbol, const Value& left, const Value& right) {
  require_defined(left);
  require_defined(right);
  fail_runtime(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", symbol, left.type_name(),
                           right.type_name()));
}

[[noreturn]] void fail_overflow(std::string_view symbol) {
  fail_runtime(fmt::format("integer overflow in '{}': integers are limited to 64 bits", symbol));
}

bool both_integral(const Value& left, const Value& right) {
  return left.is_integral() && right.is_integral();
}

void require_numbers(std::string_view symbol, const Value& left, const Value& right) {
  if (!left.is_number() || !right.is_number()) fail_operands(symbol, left, right);
}

Text join_texts(Budget& budget, const Text& left, const Text& right) {
  TextBuilder out(budget);
  if (left.markup() || right.markup()) {
    append_escaped(out, left);
    append_escaped(out, right);
    out.mark_markup();
  } else {
    out.append(left);
    out.append(right);
  }
  return std::move(out).finish();
}

Value join_lists(Budget& budget, const Value& left, const Value& right) {
  ListBuilder joined(&budget);
  for (const Value& item : left.list()->items) joined.push(item);
  for (const Value& item : right.list()->items) joined.push(item);
  return std::move(joined).finish(left.list()->form);
}

bool repeatable(const Value& value) {
  return value.is(Kind::text) || (value.is(Kind::list) && value.list()->form <= ListForm::tuple);
}

Value repeat(Budget& budget, const Value& value, std::int64_t count) {
  const std::size_t times = count > 0 ? static_cast<std::size_t>(count) : 0;
  if (value.is(Kind::text)) {
    const Text& text = value.text();
    if (text.empty() || times == 1) return value;
    TextBuilder out(budget);
    if (text.origin() != Origin::mixed) {
      out.fill(times, text.view(), text.has_foreign());
    } else {
      for (std::size_t i = 0; i < times; ++i) out.append(text);
    }
    if (text.markup()) out.mark_markup();
    return Value(std::move(out).finish());
  }
  ListBuilder out(&budget);
  if (value.list()->items.empty()) return std::move(out).finish(value.list()->form);
  for (std::size_t i = 0; i < times; ++i) {
    for (const Value& item : value.list()->items) out.push(item);
  }
  return std::move(out).finish(value.list()->form);
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) fail_overflow("**");
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow("**");
  }
  return result;
}

double floor_remainder(double left, double right) {
  double remainder = std::fmod(left, right);
  if (remainder != 0 && (remainder < 0) != (right < 0)) remainder += right;
  return remainder;
}

}  // namespace

void require_defined(const Value& value) {
  if (value.is(Kind::undefined)) fail_runtime(value.undefined_reason());
}

Value add(Budget& budget, const Value& left, const Value& right) {
  if (left.is(Kind::text)) {
    require_defined(right);
    if (!right.is(Kind::text))
      fail_runtime(fmt::format("can only concatenate str (not \"{}\") to str", right.type_name()));
    if (right.text().empty()) return left;
    if (left.text().empty()) return right;
    return Value(join_texts(budget, left.text(), right.text()));
  }
  if (left.is(Kind::list) && right.is(Kind::list) && left.list()->form == right.list()->form &&
      left.list()->form <= ListForm::tuple) {
    return join_lists(budget, left, right);
  }
  require_numbers("+", left, right);
  if (!both_integral(left, right)) return Value(left.real() + right.real());
  std::int64_t sum = 0;
  if (__builtin_add_overflow(left.integer(), right.integer(), &sum)) fail_overflow("+");
  return Value(sum);
}

Value subtract(Budget&, const Value& left, const Value& right) {
  require_numbers("-", left, right);
  if (!both_integral(left, right)) return Value(left.real() - right.real());
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(left.integer(), right.integer(), &difference)) fail_overflow("-");
  return Value(difference);
}

Value multiply(Budget& budget, const Value& left, const Value& right) {
  if (repeatable(left) && right.is_integral()) return repeat(budget, left, right.integer());
  if (repeatable(right) && left.is_integral()) return repeat(budget, right, left.integer());
  require_numbers("*", left, right);
  if (!both_integral(left, right)) return Value(left.real() * right.real());
  std::int64_t product = 0;
  if (__builtin_mul_overflow(left.integer(), right.integer(), &product)) fail_overflow("*");
  return Value(product);
}

Value divide(const Value& left, const Value& right) {
  require_numbers("/", left, right);
  if (right.real() == 0) fail_runtime("division by zero");
  return Value(left.real() / right.real());
}

Value floor_divide(const Value& left, const Value& right) {
  require_numbers("//", left, right);
  if (right.real() == 0) fail_runtime("division by zero");
  if (!both_integral(left, right)) {
    const double remainder = floor_remainder(left.real(), right.real());
    return Value(std::round((left.real() - remainder) / right.real()));
  }
  const std::int64_t a = left.integer(), b = right.integer();
  if (b == -1) return negate(left);
  const std::int64_t quotient = a / b;
  return Value(a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient);
}

Value modulo(Budget& budget, const Value& left, const Value& right) {
  if (left.is(Kind::text)) return Value(format_percent(budget, left.text(), right));
  require_numbers("%", left, right);
  if (right.real() == 0) fail_runtime("modulo by zero");
  if (!both_integral(left, right)) return Value(floor_remainder(left.real(), right.real()));
  const std::int64_t b = right.integer();
  if (b == -1) return Value(std::int64_t{0});
  const std::int64_t remainder = left.integer() % b;
  return Value(remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder);
}

Value power(const Value& left, const Value& right) {
  require_numbers("**", left, right);
  if (both_integral(left, right) && right.integer() >= 0)
    return Value(integer_power(left.integer(), right.integer()));
  if (left.real() == 0 && right.real() < 0) fail_runtime("0.0 cannot be raised to a negative power");
  return Value(std::pow(left.real(), right.real()));
}

Value negate(const Value& value) {
  require_defined(value);
  if (!value.is_number()) fail_runtime(fmt::format("bad operand type for unary -: '{}'", value.type_name()));
  if (value.is(Kind::real)) return Value(-value.real());
  std::int64_t result = 0;
  if (__builtin_sub_overflow(std::int64_t{0}, value.integer(), &result)) fail_overflow("-");
  return Value(result);
}

}  // namespace pensieve::model::jinja
