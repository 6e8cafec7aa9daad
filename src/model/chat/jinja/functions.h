// The global functions of templates: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
#pragma once

#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

void define_functions(Evaluator& evaluator);

}  // namespace pensieve::model::jinja
