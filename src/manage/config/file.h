// The configuration file (TOML or YAML): sections and keys of the schema, nothing else.
// Not a merger: the schema decides which source wins.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "manage/config/schema.h"

namespace pensieve::manage {

// Apply `text` to the schema. `name` is what messages call the file. Every problem is found, not only the
// first, unless the file cannot be parsed; each names file, line, key, the allowed values and the nearest
// key. Values without a problem are assigned.
std::vector<Error> apply_toml(Schema& schema, std::string_view text, const std::string& name);
std::vector<Error> apply_yaml(Schema& schema, std::string_view text, const std::string& name);

// Reads and applies a regular file of at most 1 MiB: YAML when it is called *.yaml or *.yml, else TOML.
std::vector<Error> apply_file(Schema& schema, const std::string& path);

}  // namespace pensieve::manage
