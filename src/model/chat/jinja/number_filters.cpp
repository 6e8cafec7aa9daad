// Filters that yield numbers.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "model/chat/jinja/characters.h"
#include "model/chat/jinja/evaluator.h"
#include "model/chat/jinja/filters.h"
#include "model/chat/jinja/item_access.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/parameters.h"

namespace pensieve::model::jinja {
namespace {

// Digits without sign, blanks and underscores between digits; nothing when the text cannot be a number.
struct Digits {
  std::string bytes;
  bool negative = false;
};
std::optional<Digits> digits_of(std::string_view text) {
  const Stretch stretch = strip(text, {}, Side::both);
  text = text.substr(stretch.begin, stretch.end - stretch.begin);
  constexpr std::size_t kLongest = 400;
  if (text.size() > kLongest) return std::nullopt;
  Digits digits;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    digits.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits.bytes += text[i];
    } else if (i == 0 || i + 1 == text.size() || !alphanumeric(text[i - 1]) || !alphanumeric(text[i + 1])) {
      return std::nullopt;
    }
  }
  if (digits.bytes.empty() || !(alphanumeric(digits.bytes[0]) || digits.bytes[0] == '.')) return std::nullopt;
  return digits;
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  std::optional<Digits> digits = digits_of(text);
  if (!digits) return std::nullopt;
  std::string& bytes = digits->bytes;
  if (bytes.size() > 2 && bytes[0] == '0') {
    const char kind = static_cast<char>(bytes[1] | 0x20);
    if ((kind == 'x' && base == 16) || (kind == 'o' && base == 8) || (kind == 'b' && base == 2))
      bytes.erase(0, 2);
  }
  if (digits->negative) bytes.insert(bytes.begin(), '-');
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), value, base);
  if (problem != std::errc() || end != bytes.data() + bytes.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  const std::optional<Digits> digits = digits_of(text);
  if (!digits) return std::nullopt;
  double value = 0;
  const auto [end, problem] =
      std::from_chars(digits->bytes.data(), digits->bytes.data() + digits->bytes.size(), value);
  if (end != digits->bytes.data() + digits->bytes.size() || problem != std::errc()) return std::nullopt;
  return digits->negative ? -value : value;
}

std::optional<std::int64_t> truncated(double real) {
  if (!(std::fabs(real) < 9.2e18)) return std::nullopt;
  return static_cast<std::int64_t>(real);
}

Value as_integer(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("int", arguments, {"default", "base"});
  require_defined(input);
  std::optional<std::int64_t> value;
  if (input.is_integral()) {
    value = input.integer();
  } else if (input.is(Kind::real)) {
    value = truncated(input.real());
  } else if (input.is(Kind::text)) {
    evaluator.budget().scan(input.text().size());
    const std::int64_t base = parameters.integer_or(1, 10);
    if (base < 2 || base > 36) fail_runtime(fmt::format("int(): base must be 2 to 36, not {}", base));
    value = parse_integer(input.view(), static_cast<int>(base));
    if (!value) {
      const std::optional<double> real = parse_real(input.view());
      if (real) value = truncated(*real);
    }
  }
  return value ? Value(*value) : parameters.value_or(0, Value(std::int64_t{0}));
}

Value as_real(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("float", arguments, {"default"});
  require_defined(input);
  if (input.is_number()) return Value(input.real());
  if (input.is(Kind::text)) {
    evaluator.budget().scan(input.text().size());
    if (const std::optional<double> real = parse_real(input.view())) return Value(*real);
  }
  return parameters.value_or(0, Value(0.0));
}

Value absolute(Evaluator&, const Value& input, const Arguments& arguments) {
  Parameters("abs", arguments, {});
  require_defined(input);
  if (!input.is_number()) fail_runtime(fmt::format("bad operand type for abs(): '{}'", input.type_name()));
  if (input.is(Kind::real)) return Value(std::fabs(input.real()));
  return input.integer() < 0 ? negate(input) : Value(input.integer());
}

double round_real(double value, int precision) {
  if (!std::isfinite(value) || precision > 300) return value;
  if (precision < 0) {
    const double scale = std::pow(10.0, -precision);
    return std::nearbyint(value / scale) * scale;
  }
  // Through decimal digits, so that the result is that of the exact value, as in Python.
  const std::string digits = fmt::format("{:.{}f}", value, precision);
  double rounded = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), rounded);
  return rounded;
}

Value round(Evaluator&, const Value& input, const Arguments& arguments) {
  const Parameters parameters("round", arguments, {"precision", "method"});
  require_defined(input);
  if (!input.is_number()) fail_runtime(fmt::format("round needs a number, not {}", input.type_name()));
  const std::int64_t precision = parameters.integer_or(0, 0);
  if (precision < -300 || precision > 300)
    fail_runtime(fmt::format("round(): precision {} is out of range", precision));
  const Text method = parameters.text_or(1, Text("common"));
  if (method.view() == "common") {
    if (input.is_integral() && precision >= 0) return Value(input.integer());
    const double rounded = round_real(input.real(), static_cast<int>(precision));
    return input.is_integral() ? Value(truncated(rounded).value_or(0)) : Value(rounded);
  }
  if (method.view() != "ceil" && method.view() != "floor")
    fail_runtime("round(): method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = input.real() * scale;
  return Value((method.view() == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value sum(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
  const Parameters parameters("sum", arguments, {"attribute", "start"});
  const AttributePath path(parameters.value_or(0, Value::none()));
  Value total = parameters.value_or(1, Value(std::int64_t{0}));
  const ListPtr items = evaluator.iterate(input);
  for (const Value& item : items->items) {
    evaluator.budget().step();
    total = add(evaluator.budget(), total, path.get(evaluator, item));
  }
  return total;
}

constexpr std::array<FilterEntry, 5> kFilters{{
    {"int", as_integer},
    {"float", as_real},
    {"abs", absolute},
    {"round", round},
    {"sum", sum},
}};

}  // namespace

std::span<const FilterEntry> number_filters() {
  return kFilters;
}

}  // namespace pensieve::model::jinja
