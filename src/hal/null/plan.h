// The plan of the null backend: answers a script's tokens for whatever batch comes. Not for graphs: it never
// looks at one.
#pragma once

#include <cstdint>
#include <memory>

#include "core/backend.h"
#include "hal/null/backend.h"

namespace pensieve::hal {

std::unique_ptr<Plan> make_null_plan(NullScript script, std::int64_t vocabulary);

}  // namespace pensieve::hal
