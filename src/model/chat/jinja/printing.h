// How values look as text: Python's str() and repr(). Not JSON (json_output.h).
#pragma once

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

// str(value); foreign stretches of the texts inside stay foreign.
void append_text(TextBuilder& out, const Value& value);
Text to_text(Budget& budget, const Value& value);
// repr(value).
void append_repr(TextBuilder& out, const Value& value);
// repr() of a float: the shortest digits that read back as the same number.
std::string real_text(double real);

}  // namespace pensieve::model::jinja
