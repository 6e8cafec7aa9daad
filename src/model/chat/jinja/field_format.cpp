// Formatting of one value into one field.
#include "model/chat/jinja/field_format.h"

#include <fmt/format.h>

#include <cmath>

#include "model/chat/jinja/printing.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

constexpr std::size_t kWidest = 1'000'000;
constexpr int kMostDigits = 1000;

void pad(TextBuilder& out, const Text& body, const FieldFormat& format, char align) {
  const std::size_t missing = format.width > body.length() ? format.width - body.length() : 0;
  const std::size_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  out.fill(before, format.fill);
  out.append(body);
  out.fill(missing - before, format.fill);
}

std::string grouped(std::string digits, char separator) {
  if (separator == 0) return digits;
  const std::size_t whole = digits.find_first_not_of("0123456789");
  for (std::size_t at = whole == std::string::npos ? digits.size() : whole; at > 3;) {
    at -= 3;
    digits.insert(at, 1, separator);
  }
  return digits;
}

std::string real_digits(double magnitude, const FieldFormat& format, char type) {
  const int precision = format.precision < 0 ? 6 : std::min(format.precision, kMostDigits);
  if (std::isnan(magnitude)) return "nan";
  if (std::isinf(magnitude)) return "inf";
  switch (type) {
    case 'e':
      return fmt::format("{:.{}e}", magnitude, precision);
    case 'E':
      return fmt::format("{:.{}E}", magnitude, precision);
    case 'f':
    case 'F':
      return fmt::format("{:.{}f}", magnitude, precision);
    case '%':
      return fmt::format("{:.{}f}%", magnitude * 100, precision);
    case 'G':
      return fmt::format("{:.{}G}", magnitude, precision);
    case 'g':
      return fmt::format("{:.{}g}", magnitude, precision);
    default:
      break;
  }
  if (format.precision < 0) return real_text(magnitude);
  return fmt::format("{:.{}g}", magnitude, precision);
}

std::string integer_digits(std::uint64_t magnitude, const FieldFormat& format, char type) {
  switch (type) {
    case 'x':
      return (format.alternate ? "0x" : "") + fmt::format("{:x}", magnitude);
    case 'X':
      return (format.alternate ? "0X" : "") + fmt::format("{:X}", magnitude);
    case 'o':
      return (format.alternate ? "0o" : "") + fmt::format("{:o}", magnitude);
    case 'b':
      return (format.alternate ? "0b" : "") + fmt::format("{:b}", magnitude);
    default:
      return fmt::format("{:0>{}}", magnitude, std::max(1, std::min(format.precision, kMostDigits)));
  }
}

void append_number(TextBuilder& out, const Value& value, const FieldFormat& format, char type) {
  bool negative = false;
  std::string digits;
  if (value.is_integral() && std::string_view("eEfFgG%").find(type) == std::string_view::npos) {
    const std::int64_t integer = value.integer();
    negative = integer < 0;
    const auto bits = static_cast<std::uint64_t>(integer);
    digits = integer_digits(negative ? 0 - bits : bits, format, type);
  } else {
    const double real = value.real();
    negative = std::signbit(real) && !std::isnan(real);
    digits = real_digits(std::fabs(real), format, type);
  }
  digits = grouped(std::move(digits), format.grouping);
  const std::string sign = negative ? "-" : format.sign == '+' ? "+" : format.sign == ' ' ? " " : "";
  if (format.align == '=') {
    const std::size_t used = sign.size() + digits.size();
    out.append(sign);
    out.fill(format.width > used ? format.width - used : 0, format.fill);
    out.append(digits);
    return;
  }
  pad(out, Text(sign + digits), format, format.align == 0 ? '>' : format.align);
}

void append_character(TextBuilder& out, const Value& value, const FieldFormat& format) {
  if (value.is(Kind::text) && value.text().length() == 1)
    return pad(out, value.text(), format, format.align == 0 ? '<' : format.align);
  if (!value.is_integral() || value.integer() < 0 || value.integer() > 0x10FFFF)
    fail_runtime("%c requires an int in range(0x110000) or a character");
  std::string bytes;
  util::append_utf8(static_cast<char32_t>(value.integer()), bytes);
  // A character made from a number could spell anything: treated as foreign.
  pad(out, Text(util::repair_utf8(bytes), Origin::foreign), format, format.align == 0 ? '<' : format.align);
}

}  // namespace

std::size_t checked_width(std::uint64_t width) {
  if (width > kWidest) fail_budget(fmt::format("a formatted field is wider than {} characters", kWidest));
  return static_cast<std::size_t>(width);
}

std::size_t parse_width(std::string_view specification, std::size_t& at) {
  std::size_t width = 0;
  for (; at < specification.size() && specification[at] >= '0' && specification[at] <= '9'; ++at) {
    width = checked_width(width * 10 + static_cast<std::size_t>(specification[at] - '0'));
  }
  return width;
}

FieldFormat parse_field_format(std::string_view specification) {
  FieldFormat format;
  std::size_t at = 0;
  const auto peek = [&](std::size_t place) {
    return place < specification.size() ? specification[place] : '\0';
  };
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!specification.empty()) {
    const std::size_t size = character_size(specification, 0);
    if (is_align(peek(size))) {
      format.fill = specification.substr(0, size);
      format.align = peek(size);
      at = size + 1;
    } else if (is_align(peek(0))) {
      format.align = peek(0);
      at = 1;
    }
  }
  if (peek(at) == '+' || peek(at) == '-' || peek(at) == ' ') format.sign = specification[at++];
  if (peek(at) == '#') format.alternate = true, ++at;
  if (peek(at) == '0') {
    ++at;
    format.fill.assign(1, '0');
    if (format.align == 0) format.align = '=';
  }
  format.width = parse_width(specification, at);
  if (peek(at) == ',' || peek(at) == '_') format.grouping = specification[at++];
  if (peek(at) == '.') format.precision = static_cast<int>(parse_width(specification, ++at));
  if (at < specification.size()) format.type = specification[at++];
  if (at != specification.size())
    fail_runtime(fmt::format("invalid format specification '{}'", excerpt(specification)));
  return format;
}

void append_field(TextBuilder& out, const Value& value, const FieldFormat& format) {
  const char type = format.type;
  if (type == 'c') return append_character(out, value, format);
  if (type == 's' || (type == 0 && !value.is_number()) || (type == 0 && value.is(Kind::boolean))) {
    Text body = to_text(out.budget(), value);
    if (format.precision >= 0)
      body = slice(out.budget(), body, 0, body.position(static_cast<std::size_t>(format.precision)));
    return pad(out, body, format, format.align == 0 || format.align == '=' ? '<' : format.align);
  }
  if (!value.is_number())
    fail_runtime(fmt::format("format code '{}' needs a number, not {}", type, value.type_name()));
  if (type != 0 && std::string_view("dxXobneEfFgG%").find(type) == std::string_view::npos) {
    fail_runtime(fmt::format("unknown format code '{}'", type));
  }
  if (value.is(Kind::real) && type != 0 && std::string_view("dxXob").find(type) != std::string_view::npos) {
    fail_runtime(fmt::format("format code '{}' needs an int, not float", type));
  }
  append_number(out, value, format, type == 'n' ? 'd' : type);
}

}  // namespace pensieve::model::jinja
