// What an answer must look like, as requests say it. Only what can be seen without the model is checked here:
// whether a schema or a grammar can be enforced is known to who enforces it, and refused there by keyword.
#pragma once

#include <optional>
#include <string>

#include "core/generation.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// {"type":"text"|"json_object"|"json_schema", …} at `where` ("response_format", "text.format"). The schema
// stands beside the type or in "json_schema".
Result<std::optional<Constraint>> read_format(const Json& format, const std::string& where);
// "json_schema" and "grammar" (GBNF) as fields of their own, and "response_format"; at most one of them.
Result<std::optional<Constraint>> read_constraint(const Json& body);

}  // namespace pensieve::server
