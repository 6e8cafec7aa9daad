// Environment variables PENSIEVE_SECTION_KEY.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "manage/config/schema.h"

namespace pensieve::manage {

// `environment` ends with a null pointer, as `environ` does. Variables of other names are left alone; a
// variable of a known section with an unknown key is a problem.
std::vector<Error> apply_environment(Schema& schema, const char* const* environment);

}  // namespace pensieve::manage
