// tojson: values as JSON text.
#include "model/chat/jinja/json_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/chat/jinja/printing.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

// The escape of a byte or character inside a JSON string, empty when it stands for itself.
std::string escaped(char32_t c, bool ensure_ascii) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  const auto code = static_cast<std::uint32_t>(c);
  if (code < 0x20) return fmt::format("\\u{:04x}", code);
  if (!ensure_ascii || code < 0x7F) return {};
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10),
                     0xDC00 + ((code - 0x10000) & 0x3FF));
}

class JsonWriter {
 public:
  JsonWriter(TextBuilder& out, const JsonStyle& style) : out_(out), style_(style) {}

  void write(const Value& value, std::size_t level) {
    out_.budget().step();
    switch (value.kind()) {
      case Kind::none:
        return out_.append("null");
      case Kind::boolean:
        return out_.append(value.boolean() ? "true" : "false");
      case Kind::real:
        return out_.append(real(value.real()));
      case Kind::integer:
        return append_text(out_, value);
      case Kind::text:
        return write_text(value.text());
      case Kind::dict:
        return write_dict(*value.dict(), level);
      case Kind::list:
        if (value.list()->form <= ListForm::group) return write_list(*value.list(), level);
        break;
      default:
        break;
    }
    fail_runtime(fmt::format("Object of type {} is not JSON serializable", value.type_name()));
  }

 private:
  static std::string real(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return real_text(value);
  }

  void write_text(const Text& text) {
    const std::string_view view = text.view();
    const bool foreign = text.has_foreign();
    out_.append("\"");
    out_.budget().search(view.size());
    std::size_t begin = 0;
    for (std::size_t at = 0; at < view.size();) {
      const auto byte = static_cast<unsigned char>(view[at]);
      if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x7F || !style_.ensure_ascii)) {
        ++at;
        continue;
      }
      const util::CodePoint point = util::decode_utf8(view, at);
      const std::string escape = escaped(point.value, style_.ensure_ascii);
      if (!escape.empty()) {
        out_.budget().step();
        out_.append(text, begin, at);
        out_.append(escape, foreign);
        begin = at + point.size;
      }
      at += point.size;
    }
    out_.append(text, begin, view.size());
    out_.append("\"");
  }

  void new_line(std::size_t level) {
    if (!style_.indent) return;
    out_.append("\n");
    out_.fill(level, *style_.indent);
  }

  void write_list(const List& list, std::size_t level) {
    if (list.items.empty()) return out_.append("[]");
    out_.append("[");
    bool first = true;
    for (const Value& item : list.items) {
      if (!first) out_.append(style_.item_separator);
      first = false;
      new_line(level + 1);
      write(item, level + 1);
    }
    new_line(level);
    out_.append("]");
  }

  void write_key(const Value& key) {
    if (key.is(Kind::text)) return write_text(key.text());
    if (!key.is_number() && !key.is(Kind::none))
      fail_runtime(fmt::format("keys must be str, int, float, bool or None, not {}", key.type_name()));
    out_.append("\"");
    write(key, 0);
    out_.append("\"");
  }

  void write_dict(const Dict& dict, std::size_t level) {
    if (dict.entries.empty()) return out_.append("{}");
    std::vector<const Dict::Entry*> entries;
    entries.reserve(dict.entries.size());
    for (const Dict::Entry& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) sort(entries);
    out_.append("{");
    bool first = true;
    for (const Dict::Entry* entry : entries) {
      if (!first) out_.append(style_.item_separator);
      first = false;
      new_line(level + 1);
      write_key(entry->key);
      out_.append(style_.key_separator);
      write(entry->value, level + 1);
    }
    new_line(level);
    out_.append("}");
  }

  static void sort(std::vector<const Dict::Entry*>& entries) {
    for (const Dict::Entry* entry : entries) {
      if (!entry->key.is(Kind::text)) fail_runtime("sort_keys needs keys that are all texts");
    }
    std::stable_sort(entries.begin(), entries.end(), [](const Dict::Entry* a, const Dict::Entry* b) {
      return a->key.view() < b->key.view();
    });
  }

  TextBuilder& out_;
  const JsonStyle& style_;
};

}  // namespace

void append_json(TextBuilder& out, const Value& value, const JsonStyle& style) {
  JsonWriter(out, style).write(value, 0);
}

}  // namespace pensieve::model::jinja
