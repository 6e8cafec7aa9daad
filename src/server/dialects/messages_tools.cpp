// See messages_tools.h. Inputs of the defined tools: their pages in the Messages API reference.
#include "server/dialects/messages_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "server/dialects/messages_blocks.h"
#include "server/dialects/tools.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kMostTold = 16;

constexpr std::array kToolFields{
    Field{"type", FieldKind::text},
    Field{"input_examples", FieldKind::list},
};
constexpr std::array kChoiceFields{
    Field{"type", FieldKind::text},
    Field{"name", FieldKind::text},
    Field{"disable_parallel_tool_use", FieldKind::boolean},
};

// Tools that clients run themselves and that models of Anthropic know by heart; others are told here.
struct KnownTool {
  std::string_view type;  // up to the date of the version
  std::string_view description, parameters;
};
constexpr std::array kKnownTools{
    KnownTool{
        "bash_", "Runs a command in a bash session that keeps its state between calls.",
        R"({"type":"object","properties":{"command":{"type":"string","description":"The command to run."},)"
        R"("restart":{"type":"boolean","description":"True starts the session anew."}}})"},
    KnownTool{
        "text_editor_", "Views, creates and changes files.",
        R"({"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},)"
        R"("path":{"type":"string","description":"Of a file, or of a directory to view."},)"
        R"("view_range":{"type":"array","items":{"type":"integer"},"description":"First and last line to view."},)"
        R"("file_text":{"type":"string","description":"Of the file to create."},)"
        R"("old_str":{"type":"string","description":"Stands in the file exactly once."},)"
        R"("new_str":{"type":"string","description":"Takes its place."},)"
        R"("insert_line":{"type":"integer","description":"Text is inserted after this line."},)"
        R"("insert_text":{"type":"string"}},"required":["command","path"]})"},
    KnownTool{
        "memory_", "Keeps notes in files under /memories from one conversation to the next.",
        R"({"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},)"
        R"("path":{"type":"string","description":"Begins with /memories."},)"
        R"("view_range":{"type":"array","items":{"type":"integer"},"description":"First and last line to view."},)"
        R"("file_text":{"type":"string","description":"Of the file to create."},)"
        R"("old_str":{"type":"string","description":"Stands in the file exactly once."},)"
        R"("new_str":{"type":"string","description":"Takes its place."},)"
        R"("insert_line":{"type":"integer","description":"Text is inserted after this line."},)"
        R"("insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]})"},
};

const KnownTool* known_tool(std::string_view type) {
  const auto* found = std::find_if(kKnownTools.begin(), kKnownTools.end(),
                                   [type](const KnownTool& tool) { return type.starts_with(tool.type); });
  return found == kKnownTools.end() ? nullptr : found;
}

// Examples have no place of their own in a prompt: they join the description.
void add_examples(const Json& value, Tool& tool) {
  const Json* examples = find_field(value, "input_examples");
  if (examples == nullptr) return;
  for (const Json& example : *examples) {
    tool.description += tool.description.empty() ? "" : "\n";
    tool.description += "Example of an input: " + util::to_json(example);
  }
}

Result<> read_one(const Json& value, const std::string& where, ChatRequest& chat,
                  std::vector<std::string>& left_out) {
  if (!value.is_object()) return wrong_field(where, "an object", value);
  if (auto checked = check_fields(value, kToolFields, where + "."); !checked) return checked;
  if (auto checked = check_cache_control(value, where + "."); !checked) return checked;
  const std::string type = text_field(value, "type");
  const bool custom = type.empty() || type == "custom";
  const KnownTool* known = custom ? nullptr : known_tool(type);
  if (!custom && known == nullptr) {
    if (left_out.size() < kMostTold) left_out.push_back(where);
    return {};
  }
  auto tool = read_tool(value, where, "input_schema");
  if (!tool) return tl::unexpected(std::move(tool.error()));
  if (known != nullptr) {
    tool->description = known->description;
    tool->parameters = known->parameters;
  }
  add_examples(value, *tool);
  return add_tool(std::move(*tool), where + ".name", chat);
}

Result<> read_choice(const Json& choice, ToolChoice& wanted) {
  if (!choice.is_object()) return wrong_field("tool_choice", "an object with a 'type'", choice);
  if (auto checked = check_fields(choice, kChoiceFields, "tool_choice."); !checked) return checked;
  wanted.parallel = !boolean_field(choice, "disable_parallel_tool_use", false);
  const std::string type = text_field(choice, "type");
  if (type == "auto") return {};
  if (type == "none") {
    wanted.mode = ToolChoice::Mode::none;
  } else if (type == "any") {
    wanted.mode = ToolChoice::Mode::required;
  } else if (type == "tool") {
    const Json* name = find_field(choice, "name");
    if (name == nullptr) {
      return fail(Error::Code::invalid, "tool_choice.name is missing: say which tool is meant",
                  "tool_choice.name");
    }
    choose_tool(name->get<std::string>(), wanted);
  } else {
    return wrong_field("tool_choice.type", "'auto', 'any', 'tool' or 'none'", Json(type));
  }
  return {};
}

}  // namespace

Result<> read_messages_tools(const Json& body, ChatRequest& chat, std::vector<std::string>& left_out) {
  if (const Json* tools = find_field(body, "tools")) {
    for (std::size_t i = 0; i < tools->size(); ++i) {
      if (auto read = read_one((*tools)[i], fmt::format("tools[{}]", i), chat, left_out); !read) return read;
    }
  }
  if (const Json* choice = find_field(body, "tool_choice")) {
    if (auto read = read_choice(*choice, chat.tool_choice); !read) return read;
  }
  return check_tool_choice(chat);
}

}  // namespace pensieve::server
