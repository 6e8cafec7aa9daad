// What the configuration is, for people and programs: each value with its source, and the JSON Schema of the
// file.
#pragma once

#include <string>

#include "manage/config/schema.h"
#include "util/json.h"

namespace pensieve::manage {

// One line a setting: key, value, where it came from. Secrets appear as "(set)".
std::string explain_text(const Schema& schema);
util::Json explain_json(const Schema& schema);

// JSON Schema (2020-12) of the configuration file.
util::Json json_schema(const Schema& schema);

}  // namespace pensieve::manage
