// See tools.h.
#include "server/dialects/tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace pensieve::server {
namespace {

constexpr std::size_t kNameBytes = 128;

constexpr std::array kToolFields{
    Field{"name", FieldKind::text},
    Field{"description", FieldKind::text},
    Field{"strict", FieldKind::boolean},
};

constexpr std::array kToolsFields{
    Field{"tools", FieldKind::list},
    Field{"parallel_tool_calls", FieldKind::boolean},
};

tl::unexpected<Error> missing(const std::string& field, std::string_view what) {
  return fail(Error::Code::invalid, fmt::format("{} is missing: {}", field, what), field);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 0x20; });
}

Result<> read_offered(const Json& entry, std::size_t index, ChatRequest& chat) {
  const std::string where = fmt::format("tools[{}]", index);
  if (!entry.is_object()) return wrong_field(where, "an object", entry);
  const Json* type = find_field(entry, "type");
  if (type && *type != "function") {
    return fail(Error::Code::unsupported,
                fmt::format("{}.type: only tools of type 'function' are possible here", where),
                where + ".type");
  }
  const Json* function = find_field(entry, "function");
  if (function == nullptr) return missing(where + ".function", "a tool has a function with a name");
  if (!function->is_object()) return wrong_field(where + ".function", "an object", *function);
  auto tool = read_tool(*function, where + ".function", "parameters");
  if (!tool) return tl::unexpected(std::move(tool.error()));
  return add_tool(std::move(*tool), where + ".function.name", chat);
}

// {"type":"function","function":{"name":…}} to the name.
Result<std::string> function_name(const Json& value, const std::string& where) {
  const Json* function = value.is_object() ? find_field(value, "function") : nullptr;
  const Json* name = function && function->is_object() ? find_field(*function, "name") : nullptr;
  if (name == nullptr) return missing(where + ".function.name", "say which tool is meant");
  if (!name->is_string()) return wrong_field(where + ".function.name", "a string", *name);
  return name->get<std::string>();
}

Result<> read_mode(const Json& value, const std::string& where, ToolChoice& choice) {
  if (value == "auto") {
    choice.mode = ToolChoice::Mode::automatic;
  } else if (value == "none") {
    choice.mode = ToolChoice::Mode::none;
  } else if (value == "required") {
    choice.mode = ToolChoice::Mode::required;
  } else {
    return wrong_field(where, "'none', 'auto', 'required' or the name of a tool in an object", value);
  }
  return {};
}

Result<> read_allowed(const Json& choice_value, ToolChoice& choice) {
  const std::string where = "tool_choice.allowed_tools";
  const Json* allowed = find_field(choice_value, "allowed_tools");
  if (allowed == nullptr) return missing(where, "an object with 'mode' and 'tools'");
  if (!allowed->is_object()) return wrong_field(where, "an object with 'mode' and 'tools'", *allowed);
  if (const Json* mode = find_field(*allowed, "mode")) {
    if (*mode != "auto" && *mode != "required")
      return wrong_field(where + ".mode", "'auto' or 'required'", *mode);
    if (auto read = read_mode(*mode, where + ".mode", choice); !read) return read;
  }
  const Json* tools = find_field(*allowed, "tools");
  if (tools == nullptr || !tools->is_array() || tools->empty()) {
    return fail(Error::Code::invalid, where + ".tools must be a list that names at least one tool",
                where + ".tools");
  }
  for (std::size_t i = 0; i < tools->size(); ++i) {
    auto name = function_name((*tools)[i], fmt::format("{}.tools[{}]", where, i));
    if (!name) return tl::unexpected(std::move(name.error()));
    choice.names.push_back(std::move(*name));
  }
  return {};
}

Result<> read_choice(const Json& value, ToolChoice& choice) {
  if (!value.is_object()) return read_mode(value, "tool_choice", choice);
  const Json* type = find_field(value, "type");
  if (type && *type == "allowed_tools") return read_allowed(value, choice);
  if (type && *type != "function")
    return wrong_field("tool_choice.type", "'function' or 'allowed_tools'", *type);
  auto name = function_name(value, "tool_choice");
  if (!name) return tl::unexpected(std::move(name.error()));
  choose_tool(std::move(*name), choice);
  return {};
}

}  // namespace

Result<Tool> read_tool(const Json& object, const std::string& where, std::string_view schema_field) {
  if (auto checked = check_fields(object, kToolFields, where + "."); !checked)
    return tl::unexpected(std::move(checked.error()));
  const Json* name = find_field(object, "name");
  if (name == nullptr) return missing(where + ".name", "a tool has a name");
  Tool tool;
  tool.name = name->get<std::string>();
  if (!is_name(tool.name)) {
    return wrong_field(where + ".name",
                       fmt::format("a tool's name of 1 to {} bytes without spaces", kNameBytes), *name);
  }
  tool.description = text_field(object, "description");
  tool.strict = boolean_field(object, "strict", false);
  if (const Json* schema = find_field(object, schema_field)) {
    if (!schema->is_object())
      return wrong_field(fmt::format("{}.{}", where, schema_field), "a JSON Schema (an object)", *schema);
    if (!schema->empty()) tool.parameters = util::to_json(*schema);
  }
  return tool;
}

Result<> add_tool(Tool tool, const std::string& where, ChatRequest& chat) {
  const bool known = std::any_of(chat.tools.begin(), chat.tools.end(),
                                 [&tool](const Tool& other) { return other.name == tool.name; });
  if (known) {
    return fail(Error::Code::invalid, fmt::format("{}: there are two tools called '{}'", where, tool.name),
                where);
  }
  chat.tools.push_back(std::move(tool));
  return {};
}

void choose_tool(std::string name, ToolChoice& choice) {
  choice.mode = ToolChoice::Mode::required;
  choice.names = {std::move(name)};
}

Result<> check_tool_choice(const ChatRequest& chat) {
  for (const std::string& name : chat.tool_choice.names) {
    const bool offered = std::any_of(chat.tools.begin(), chat.tools.end(),
                                     [&name](const Tool& tool) { return tool.name == name; });
    if (!offered) {
      return fail(Error::Code::invalid,
                  fmt::format("tool_choice: '{}' is not among the tools", name.substr(0, kNameBytes)),
                  "tool_choice");
    }
  }
  if (chat.tool_choice.mode == ToolChoice::Mode::required && chat.tools.empty()) {
    return fail(Error::Code::invalid, "tool_choice: a call is demanded, but no tools are offered",
                "tool_choice");
  }
  return {};
}

Result<> read_chat_tools(const Json& body, ChatRequest& chat) {
  if (auto checked = check_fields(body, kToolsFields); !checked) return checked;
  if (const Json* tools = find_field(body, "tools")) {
    for (std::size_t i = 0; i < tools->size(); ++i) {
      if (auto read = read_offered((*tools)[i], i, chat); !read) return read;
    }
  }
  if (const Json* choice = find_field(body, "tool_choice")) {
    if (auto read = read_choice(*choice, chat.tool_choice); !read) return read;
  }
  chat.tool_choice.parallel = boolean_field(body, "parallel_tool_calls", true);
  return check_tool_choice(chat);
}

}  // namespace pensieve::server
