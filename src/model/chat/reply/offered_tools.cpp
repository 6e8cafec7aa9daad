// Types of parameters as far as they decide how a text is read.
#include "model/chat/reply/offered_tools.h"

#include <algorithm>

#include "model/chat/reply/piece_writer.h"
#include "util/unicode.h"

namespace pensieve::model::reply {
namespace {

using util::Json;

struct Types {
  bool text = false, other = false;
};

void add_type_name(const Json& name, Types& types) {
  if (!name.is_string()) return;
  (name.get_ref<const std::string&>() == "string" ? types.text : types.other) = true;
}

// What the schema of a parameter allows; references are not followed (then nothing is known).
void collect(const Json& schema, Types& types, int depth) {
  if (!schema.is_object() || depth > 8) return;
  if (schema.contains("type")) {
    const Json& type = schema["type"];
    if (type.is_array()) {
      for (const Json& one : type) add_type_name(one, types);
    } else {
      add_type_name(type, types);
    }
    return;
  }
  for (const char* key : {"anyOf", "oneOf", "allOf"}) {
    if (!schema.contains(key) || !schema[key].is_array()) continue;
    for (const Json& part : schema[key]) collect(part, types, depth + 1);
  }
  if (schema.contains("enum") && schema["enum"].is_array()) {
    for (const Json& value : schema["enum"]) (value.is_string() ? types.text : types.other) = true;
  }
  if (schema.contains("const")) (schema["const"].is_string() ? types.text : types.other) = true;
}

Json as_text(std::string_view text) {
  return util::valid_utf8(text) ? std::string(text) : util::repair_utf8(text);
}

}  // namespace

std::shared_ptr<const OfferedTools> OfferedTools::from(const ChatRequest& request) {
  auto offered = std::make_shared<OfferedTools>();
  if (request.tool_choice.mode == ToolChoice::Mode::none) return offered;
  const std::vector<std::string>& allowed = request.tool_choice.names;
  for (const Tool& tool : request.tools) {
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), tool.name) == allowed.end()) continue;
    Result<Json> parameters = util::parse_json(tool.parameters);
    offered->tools_.push_back(
        {tool.name, parameters && parameters->is_object() ? std::move(*parameters) : Json::object()});
  }
  return offered;
}

const OfferedTools::Entry* OfferedTools::find(std::string_view name) const {
  for (const Entry& entry : tools_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::vector<std::string> OfferedTools::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : tools_) names.push_back(entry.name);
  return names;
}

Json OfferedTools::parameter_value(std::string_view tool, const std::string& parameter,
                                   std::string_view text) const {
  Types types;
  const Entry* entry = find(tool);
  if (entry != nullptr && entry->parameters.contains("properties")) {
    const Json& properties = entry->parameters["properties"];
    if (properties.is_object() && properties.contains(parameter)) collect(properties[parameter], types, 0);
  }
  if (types.text && !types.other) return as_text(text);
  const std::string_view trimmed = without_trailing_space(without_leading_space(text));
  if (trimmed == "True") return true;
  if (trimmed == "False") return false;
  if (trimmed == "None") return nullptr;
  const Result<Json> value = util::parse_json(trimmed);
  if (!value || (types.text && value->is_string())) return as_text(text);
  return *value;
}

}  // namespace pensieve::model::reply
