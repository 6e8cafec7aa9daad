// The % operator on texts and str.format. Literal parts keep their provenance; fields bring their own.
#include "model/chat/jinja/text_format.h"

#include <fmt/format.h>

#include <cmath>

#include "model/chat/jinja/field_format.h"
#include "model/chat/jinja/operators.h"
#include "model/chat/jinja/printing.h"

namespace pensieve::model::jinja {
namespace {

// Hands out the right-hand side of the % operator.
class PercentValues {
 public:
  explicit PercentValues(const Value& values) : values_(values) {
    if (values.is(Kind::list) &&
        (values.list()->form == ListForm::tuple || values.list()->form == ListForm::group))
      tuple_ = values.list();
  }
  Value next() {
    const std::size_t available = tuple_ ? tuple_->items.size() : 1;
    if (used_ >= available) fail_runtime("not enough arguments for format string");
    ++used_;
    return tuple_ ? tuple_->items[used_ - 1] : values_;
  }
  Value named(std::string_view key) {
    if (!values_.is(Kind::dict)) fail_runtime("format requires a mapping");
    const Value* value = values_.dict()->find(key);
    if (value == nullptr) fail_runtime(fmt::format("format string needs the key '{}'", excerpt(key)));
    return *value;
  }
  void finish() const {
    const bool unused = tuple_ ? used_ < tuple_->items.size()
                               : used_ == 0 && !values_.is(Kind::dict) && !values_.is(Kind::list);
    if (unused) fail_runtime("not all arguments converted during string formatting");
  }

 private:
  const Value& values_;
  ListPtr tuple_;
  std::size_t used_ = 0;
};

std::size_t star_or_width(std::string_view text, std::size_t& at, PercentValues& values,
                          FieldFormat* left_when_negative) {
  if (at >= text.size() || text[at] != '*') return parse_width(text, at);
  ++at;
  const Value value = values.next();
  if (!value.is_integral()) fail_runtime("* wants int");
  const std::int64_t width = value.integer();
  if (width < 0 && left_when_negative != nullptr) left_when_negative->align = '<';
  const auto bits = static_cast<std::uint64_t>(width);
  return checked_width(width < 0 ? 0 - bits : bits);
}

void read_flags(std::string_view text, std::size_t& at, FieldFormat& format) {
  for (; at < text.size(); ++at) {
    switch (text[at]) {
      case '-':
        format.align = '<';
        break;
      case '+':
        format.sign = '+';
        break;
      case ' ':
        format.sign = format.sign == '+' ? '+' : ' ';
        break;
      case '#':
        format.alternate = true;
        break;
      case '0':
        if (format.align != '<') format.align = '=', format.fill.assign(1, '0');
        break;
      default:
        return;
    }
  }
}

// Converts as the type asks: %d truncates, %s and %r print.
void append_percent_field(TextBuilder& out, Value value, FieldFormat format) {
  require_defined(value);
  switch (format.type) {
    case 'r':
    case 'a': {
      TextBuilder printed(out.budget());
      append_repr(printed, value);
      value = Value(std::move(printed).finish());
      format.type = 's';
      break;
    }
    case 's':
      value = Value(to_text(out.budget(), value));
      break;
    case 'd':
    case 'i':
    case 'u':
      if (value.is(Kind::real)) {
        if (!(std::fabs(value.real()) < 9.2e18)) fail_runtime("cannot convert this float to an integer");
        value = Value(static_cast<std::int64_t>(value.real()));
      }
      if (!value.is_number())
        fail_runtime(fmt::format("%d format: a real number is required, not {}", value.type_name()));
      format.type = 'd';
      break;
    case 'x':
    case 'X':
    case 'o':
      if (!value.is_integral())
        fail_runtime(
            fmt::format("%{} format: an integer is required, not {}", format.type, value.type_name()));
      break;
    default:
      break;
  }
  if (format.type == 's' && format.align == 0) format.align = '>';
  append_field(out, value, format);
}

}  // namespace

Text format_percent(Budget& budget, const Text& format, const Value& arguments) {
  PercentValues values(arguments);
  TextBuilder out(budget);
  const std::string_view text = format.view();
  std::size_t literal = 0, at = 0;
  while ((at = text.find('%', literal)) != std::string_view::npos) {
    budget.step();
    out.append(format, literal, at);
    ++at;
    FieldFormat field;
    std::string_view key;
    if (at < text.size() && text[at] == '(') {
      const std::size_t close = text.find(')', at);
      if (close == std::string_view::npos) fail_runtime("incomplete format key");
      key = text.substr(at + 1, close - at - 1);
      at = close + 1;
    }
    read_flags(text, at, field);
    field.width = star_or_width(text, at, values, &field);
    if (at < text.size() && text[at] == '.')
      field.precision = static_cast<int>(star_or_width(text, ++at, values, nullptr));
    if (at >= text.size()) fail_runtime("incomplete format");
    field.type = text[at++];
    if (field.type == '%') {
      out.append("%");
    } else {
      append_percent_field(out, key.data() != nullptr ? values.named(key) : values.next(), field);
    }
    literal = at;
  }
  out.append(format, literal, text.size());
  values.finish();
  return std::move(out).finish();
}

namespace {

struct BraceField {
  std::string_view name, specification;
  char conversion = 0;
};

BraceField read_brace_field(std::string_view inside) {
  BraceField field;
  const std::size_t name_end = std::min(inside.find_first_of("!:"), inside.size());
  field.name = inside.substr(0, name_end);
  if (name_end == inside.size()) return field;
  std::size_t at = name_end;
  if (inside[at] == '!') {
    if (at + 1 >= inside.size()) fail_runtime("end of string while looking for conversion specifier");
    field.conversion = inside[at + 1];
    at += 2;
    if (at < inside.size() && inside[at] != ':') fail_runtime("expected ':' after conversion specifier");
  }
  if (at < inside.size()) field.specification = inside.substr(at + 1);
  if (field.specification.find('{') != std::string_view::npos)
    fail_runtime("nested replacement fields are not supported");
  return field;
}

Value brace_argument(std::string_view name, const Arguments& arguments, std::size_t& automatic) {
  if (name.find_first_of(".[") != std::string_view::npos)
    fail_runtime("format fields may not reach into their arguments");
  const bool digits = name.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits) {
    std::size_t at = 0;
    const std::size_t index = name.empty() ? automatic++ : parse_width(name, at);
    if (index >= arguments.positional.size())
      fail_runtime(fmt::format("replacement index {} out of range", index));
    return arguments.positional[index];
  }
  for (const auto& [key, value] : arguments.named) {
    if (key.view() == name) return value;
  }
  fail_runtime(fmt::format("format field '{}' has no argument", excerpt(name)));
}

}  // namespace

Text format_braces(Budget& budget, const Text& format, const Arguments& arguments) {
  TextBuilder out(budget);
  const std::string_view text = format.view();
  std::size_t literal = 0, automatic = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '{' && text[at] != '}') continue;
    budget.step();
    out.append(format, literal, at);
    if (at + 1 < text.size() && text[at + 1] == text[at]) {
      literal = ++at;  // a doubled brace stands for one
      continue;
    }
    if (text[at] == '}') fail_runtime("single '}' encountered in format string");
    const std::size_t close = text.find('}', at);
    if (close == std::string_view::npos) fail_runtime("expected '}' before end of string");
    const BraceField field = read_brace_field(text.substr(at + 1, close - at - 1));
    Value value = brace_argument(field.name, arguments, automatic);
    if (field.conversion == 'r' || field.conversion == 's' || field.conversion == 'a') {
      TextBuilder printed(budget);
      if (field.conversion == 's') {
        append_text(printed, value);
      } else {
        append_repr(printed, value);
      }
      value = Value(std::move(printed).finish());
    } else if (field.conversion != 0) {
      fail_runtime(fmt::format("unknown conversion specifier '{}'", field.conversion));
    }
    append_field(out, value, parse_field_format(field.specification));
    at = close;
    literal = close + 1;
  }
  out.append(format, literal, text.size());
  return std::move(out).finish();
}

}  // namespace pensieve::model::jinja
