// str() and repr() as Python defines them, with provenance kept.
#include "model/chat/jinja/printing.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "model/chat/jinja/characters.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

// The escape of a character inside repr(), empty when it stands for itself.
std::string escaped(char32_t c, char quote) {
  switch (c) {
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (c == static_cast<char32_t>(quote)) return std::string("\\") + quote;
  if (is_printable(c)) return {};
  const auto code = static_cast<std::uint32_t>(c);
  if (code < 0x100) return fmt::format("\\x{:02x}", code);
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  return fmt::format("\\U{:08x}", code);
}

void append_quoted(TextBuilder& out, const Text& text) {
  const std::string_view view = text.view();
  const bool single = view.find('\'') != std::string_view::npos && view.find('"') == std::string_view::npos;
  const char quote = single ? '"' : '\'';
  const std::string_view mark(&quote, 1);
  const bool foreign = text.has_foreign();
  out.append(mark);
  out.budget().scan(view.size());
  std::size_t begin = 0;
  for (std::size_t at = 0; at < view.size();) {
    const util::CodePoint point = util::decode_utf8(view, at);
    const std::string escape = escaped(point.value, quote);
    if (!escape.empty()) {
      out.budget().step();
      out.append(text, begin, at);
      out.append(escape, foreign);
      begin = at + point.size;
    }
    at += point.size;
  }
  out.append(text, begin, view.size());
  out.append(mark);
}

void append_items(TextBuilder& out, const List& list, std::string_view open, std::string_view close) {
  out.append(open);
  bool first = true;
  for (const Value& item : list.items) {
    if (!first) out.append(", ");
    first = false;
    append_repr(out, item);
  }
  if (list.items.size() == 1 && close == ")" && open == "(") out.append(",");
  out.append(close);
}

void append_list(TextBuilder& out, const List& list) {
  switch (list.form) {
    case ListForm::list:
      return append_items(out, list, "[", "]");
    case ListForm::tuple:
    case ListForm::group:
      return append_items(out, list, "(", ")");
    case ListForm::items_view:
      return append_items(out, list, "dict_items([", "])");
    case ListForm::keys_view:
      return append_items(out, list, "dict_keys([", "])");
    case ListForm::values_view:
      return append_items(out, list, "dict_values([", "])");
    case ListForm::generator:
      return out.append("<generator object>");
    case ListForm::range:
      break;
  }
  const std::size_t count = list.items.size();
  if (count == 0) return out.append("range(0, 0)");
  const std::int64_t first = list.items.front().integer();
  const std::int64_t step = count > 1 ? list.items[1].integer() - first : 1;
  const std::int64_t stop = list.items.back().integer() + (step > 0 ? 1 : -1);
  out.append(step == 1 ? fmt::format("range({}, {})", first, stop)
                       : fmt::format("range({}, {}, {})", first, stop, step));
}

void append_dict(TextBuilder& out, const Dict& dict) {
  out.append("{");
  bool first = true;
  for (const Dict::Entry& entry : dict.entries) {
    if (!first) out.append(", ");
    first = false;
    append_repr(out, entry.key);
    out.append(": ");
    append_repr(out, entry.value);
  }
  out.append("}");
}

}  // namespace

std::string real_text(double real) {
  if (std::isnan(real)) return "nan";
  if (std::isinf(real)) return real < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, real, std::chars_format::scientific).ptr;
  const std::string_view scientific(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t mark = scientific.find('e');
  int exponent = 0;
  const char* exponent_begin = scientific.data() + mark + (scientific[mark + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_begin, scientific.data() + scientific.size(), exponent);
  // Python writes plain digits for exponents -4 to 15.
  if (exponent < -4 || exponent >= 16) return std::string(scientific);
  const auto fixed_end = std::to_chars(buffer, buffer + sizeof buffer, real, std::chars_format::fixed).ptr;
  std::string fixed(buffer, fixed_end);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

void append_repr(TextBuilder& out, const Value& value) {
  out.budget().step();
  if (value.is(Kind::text)) return append_quoted(out, value.text());
  if (value.is(Kind::undefined)) return out.append("Undefined");
  append_text(out, value);
}

void append_text(TextBuilder& out, const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return;
    case Kind::none:
      return out.append("None");
    case Kind::boolean:
      return out.append(value.boolean() ? "True" : "False");
    case Kind::integer: {
      char buffer[24];
      const auto end = std::to_chars(buffer, buffer + sizeof buffer, value.integer()).ptr;
      return out.append({buffer, static_cast<std::size_t>(end - buffer)});
    }
    case Kind::real:
      return out.append(real_text(value.real()));
    case Kind::text:
      return out.append(value.text());
    case Kind::list:
      return append_list(out, *value.list());
    case Kind::dict:
      return append_dict(out, *value.dict());
    case Kind::object:
      return out.append(value.object()->describe());
  }
}

Text to_text(Budget& budget, const Value& value) {
  if (value.is(Kind::text)) return value.text();
  TextBuilder out(budget);
  append_text(out, value);
  return std::move(out).finish();
}

}  // namespace pensieve::model::jinja
