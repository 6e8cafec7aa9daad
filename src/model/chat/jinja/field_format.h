// One formatted field: width, alignment, sign, precision and type, applied to one value.
// Shared by both ways of formatting a text (text_format.h).
#pragma once

#include <string>

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

struct FieldFormat {
  std::string fill = " ";
  char align = 0;  // '<', '>', '^', '=', or 0: numbers right, texts left
  char sign = '-';
  bool alternate = false;
  char grouping = 0;  // ',' or '_'
  std::size_t width = 0;
  int precision = -1;
  char type = 0;
};

// [[fill]align][sign][#][0][width][grouping][.precision][type]
FieldFormat parse_field_format(std::string_view specification);
void append_field(TextBuilder& out, const Value& value, const FieldFormat& format);
// Fails when a field would be absurdly wide.
std::size_t checked_width(std::uint64_t width);
// Digits at specification[at...], checked; moves `at` behind them.
std::size_t parse_width(std::string_view specification, std::size_t& at);

}  // namespace pensieve::model::jinja
