// Python's two ways of formatting a text: the % operator and str.format. Field names reach arguments only,
// never their attributes or items. Not strftime (clock.h).
#pragma once

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

// `format % arguments`: a tuple gives the values in turn, a dict those of %(name)s, anything else is the one
// value.
Text format_percent(Budget& budget, const Text& format, const Value& arguments);
// `format.format(...)`: {}, {0}, {name}, each with !r or !s and :specification.
Text format_braces(Budget& budget, const Text& format, const Arguments& arguments);

}  // namespace pensieve::model::jinja
