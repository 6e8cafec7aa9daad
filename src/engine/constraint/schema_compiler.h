// JSON Schema (2020-12, and the older words for the same) to a Graph. What is compiled is exactly what the
// schema allows, with members in the schema's order and additional ones last; what cannot be enforced is
// refused, naming the keyword.
#pragma once

#include <string>
#include <vector>

#include "engine/constraint/graph.h"
#include "util/json.h"

namespace pensieve::engine::constraint {

// `object`: the value is an object, also where the schema does not say so.
Rule compile_schema(Graph& graph, const util::Json& schema, bool object = false);

// A property of an object schema, where calls write their arguments one by one: its value and then the text
// `end`. Texts are written as they are, all else as JSON.
struct Parameter {
  std::string name;
  bool required = false;
  Part value;
};
std::vector<Parameter> compile_parameters(Graph& graph, const util::Json& schema, const std::string& end);

// Any JSON object.
Rule compile_json_object(Graph& graph);

}  // namespace pensieve::engine::constraint
