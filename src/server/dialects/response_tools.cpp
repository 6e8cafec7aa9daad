// See response_tools.h. Form: the OpenAI API reference, "Create a model response".
#include "server/dialects/response_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "server/dialects/tools.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kShown = 60;

// Coding agents offer these whatever server they talk to. Also with more behind it: web_search_preview, a
// date.
constexpr std::array<std::string_view, 13> kForeignTools{
    "file_search",
    "web_search",
    "computer",
    "mcp",
    "code_interpreter",
    "image_generation",
    "local_shell",
    "shell",
    "apply_patch",
    "custom",
    "namespace",
    "tool_search",
    "programmatic_tool_calling",
};

constexpr std::array kToolsFields{
    Field{"tools", FieldKind::list},
    Field{"parallel_tool_calls", FieldKind::boolean},
};

bool is_foreign(std::string_view type) {
  return std::any_of(kForeignTools.begin(), kForeignTools.end(), [type](std::string_view known) {
    return type.starts_with(known) && (type.size() == known.size() || type[known.size()] == '_');
  });
}

tl::unexpected<Error> missing(const std::string& field, std::string_view what) {
  return fail(Error::Code::invalid, fmt::format("{} is missing: {}", field, what), field);
}

Json shown_tool(const Json& entry) {
  const auto or_null = [&entry](const char* name) {
    const Json* value = find_field(entry, name);
    return value ? *value : Json();
  };
  return Json{{"type", "function"},
              {"name", or_null("name")},
              {"description", or_null("description")},
              {"parameters", or_null("parameters")},
              {"strict", or_null("strict")}};
}

Result<> read_entry(const Json& entry, std::size_t index, ChatRequest& chat, Json& shown) {
  const std::string where = fmt::format("tools[{}]", index);
  if (!entry.is_object()) return wrong_field(where, "an object", entry);
  const Json* type = find_field(entry, "type");
  if (type == nullptr) return missing(where + ".type", "say 'function'");
  if (!type->is_string()) return wrong_field(where + ".type", "a string", *type);
  const auto& kind = type->get_ref<const std::string&>();
  if (kind != "function") {
    if (is_foreign(kind)) return {};
    return fail(
        Error::Code::invalid,
        fmt::format("{}.type: '{}' is unknown; 'function' is possible", where, kind.substr(0, kShown)),
        where + ".type");
  }
  if (find_field(entry, "name") == nullptr && find_field(entry, "function"))
    return missing(where + ".name", "here it stands beside the type, not in 'function'");
  auto tool = read_tool(entry, where, "parameters");
  if (!tool) return tl::unexpected(std::move(tool.error()));
  if (auto added = add_tool(std::move(*tool), where + ".name", chat); !added) return added;
  shown.push_back(shown_tool(entry));
  return {};
}

Result<> read_mode(const Json& value, const std::string& where, ToolChoice& choice) {
  if (value == "auto") {
    choice.mode = ToolChoice::Mode::automatic;
  } else if (value == "none") {
    choice.mode = ToolChoice::Mode::none;
  } else if (value == "required") {
    choice.mode = ToolChoice::Mode::required;
  } else {
    return wrong_field(where, "'none', 'auto', 'required' or an object that names a tool", value);
  }
  return {};
}

Result<std::string> read_name(const Json& value, const std::string& where) {
  const Json* name = value.is_object() ? find_field(value, "name") : nullptr;
  if (name == nullptr) return missing(where + ".name", "say which tool is meant");
  if (!name->is_string()) return wrong_field(where + ".name", "a string", *name);
  return name->get<std::string>();
}

Result<> read_allowed(const Json& value, ToolChoice& choice) {
  if (const Json* mode = find_field(value, "mode")) {
    if (*mode != "auto" && *mode != "required")
      return wrong_field("tool_choice.mode", "'auto' or 'required'", *mode);
    if (auto read = read_mode(*mode, "tool_choice.mode", choice); !read) return read;
  }
  const Json* tools = find_field(value, "tools");
  if (tools == nullptr) return missing("tool_choice.tools", "a list that names at least one tool");
  if (!tools->is_array()) return wrong_field("tool_choice.tools", "a list", *tools);
  for (std::size_t i = 0; i < tools->size(); ++i) {
    const Json& entry = (*tools)[i];
    const Json* type = entry.is_object() ? find_field(entry, "type") : nullptr;
    if (type && type->is_string() && *type != "function" && is_foreign(type->get_ref<const std::string&>()))
      continue;
    auto name = read_name(entry, fmt::format("tool_choice.tools[{}]", i));
    if (!name) return tl::unexpected(std::move(name.error()));
    choice.names.push_back(std::move(*name));
  }
  if (choice.names.empty()) {
    return fail(Error::Code::invalid,
                "tool_choice.tools names no function that may be called; name one at least", "tool_choice");
  }
  return {};
}

Result<> read_choice(const Json& value, ToolChoice& choice) {
  if (!value.is_object()) return read_mode(value, "tool_choice", choice);
  const Json* type = find_field(value, "type");
  if (type == nullptr) return missing("tool_choice.type", "'function' or 'allowed_tools'");
  if (*type == "allowed_tools") return read_allowed(value, choice);
  if (*type != "function") return wrong_field("tool_choice.type", "'function' or 'allowed_tools'", *type);
  auto name = read_name(value, "tool_choice");
  if (!name) return tl::unexpected(std::move(name.error()));
  choose_tool(std::move(*name), choice);
  return {};
}

}  // namespace

Result<> read_response_tools(const Json& body, ChatRequest& chat, Json& settings) {
  if (auto checked = check_fields(body, kToolsFields); !checked) return checked;
  Json shown = Json::array();
  if (const Json* tools = find_field(body, "tools")) {
    for (std::size_t i = 0; i < tools->size(); ++i) {
      if (auto read = read_entry((*tools)[i], i, chat, shown); !read) return read;
    }
  }
  const Json* choice = find_field(body, "tool_choice");
  if (choice) {
    if (auto read = read_choice(*choice, chat.tool_choice); !read) return read;
  }
  chat.tool_choice.parallel = boolean_field(body, "parallel_tool_calls", true);
  settings["tools"] = std::move(shown);
  settings["tool_choice"] = choice ? *choice : Json("auto");
  settings["parallel_tool_calls"] = chat.tool_choice.parallel;
  return check_tool_choice(chat);
}

}  // namespace pensieve::server
