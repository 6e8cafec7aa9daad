// Replies that the sampler leaves free until they begin a call: from there on the call has its form. Not the
// form itself: compile.cpp.
#pragma once

#include <optional>
#include <string>

#include "core/reply.h"
#include "engine/constraint/graph.h"

namespace pensieve::engine::constraint {

// A text of the format in which control tokens, if it spells any, may also be written as such.
Part marker(Graph& graph, const std::string& text);
// The opener with which the form begins; empty when it begins with none of them.
std::string opener_of(const EnforcedForm& form);
// Any text, control tokens included, in which no opener stands; where the form is `bare`, no text either that
// begins like a call, or with `thinking`, which would hide a call behind it.
Part text_without_call(Graph& graph, const EnforcedForm& form, const std::optional<ThinkingForm>& thinking);
// Any such text and then the form's opener. Throws Refusal when there is none.
Part text_and_opener(Graph& graph, const EnforcedForm& form, const std::optional<ThinkingForm>& thinking);

// Plain text and then `end`, of which all but newlines around it stands nowhere in the text.
Part text_up_to(Graph& graph, const std::string& end);

}  // namespace pensieve::engine::constraint
