// JSON text of a value as the `tojson` of chat templates writes it (Python's json.dumps). Not a serialiser
// for the wire.
#pragma once

#include <optional>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  // of one level; nothing: one line
  std::string item_separator = ", ", key_separator = ": ";
  bool sort_keys = false;
};

// Foreign texts stay foreign inside their quotes.
void append_json(TextBuilder& out, const Value& value, const JsonStyle& style);

}  // namespace pensieve::model::jinja
