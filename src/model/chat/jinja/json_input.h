// JSON trees as template values.
#pragma once

#include "model/chat/jinja/value.h"
#include "util/json.h"

namespace pensieve::model::jinja {

// Every text, keys included, gets `origin`. Integers beyond 64 bits become floats. Fails when nested too
// deep.
Value from_json(const util::Json& json, Origin origin);

}  // namespace pensieve::model::jinja
