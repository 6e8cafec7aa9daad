// The words that models without a format of their own are told about tools.
#include "model/chat/tool_prompt.h"

#include "util/json.h"

namespace pensieve::model {
namespace {

std::string description_of(const std::vector<Tool>& tools) {
  std::string text = "You can call these functions:\n";
  for (const Tool& tool : tools) {
    util::Json entry{{"name", tool.name}};
    if (!tool.description.empty()) entry["description"] = tool.description;
    if (const Result<util::Json> parameters = util::parse_json(tool.parameters))
      entry["parameters"] = *parameters;
    text += util::to_json(entry) + "\n";
  }
  return text +
         "\nTo call a function, reply with nothing but JSON of this form:\n"
         "{\"name\": \"FUNCTION\", \"arguments\": {\"PARAMETER\": VALUE}}\n"
         "For several calls, reply with a list of such objects. To answer without a call, reply in plain "
         "text.";
}

}  // namespace

bool offers_tools(const ChatRequest& request) {
  return !request.tools.empty() && request.tool_choice.mode != ToolChoice::Mode::none;
}

std::vector<ChatMessage> with_system(std::vector<ChatMessage> messages) {
  if (!messages.empty() && messages.front().role == "system") return messages;
  ChatMessage system;
  system.role = "system";
  system.content.emplace();
  messages.insert(messages.begin(), std::move(system));
  return messages;
}

std::vector<ChatMessage> with_tools_in_system(std::vector<ChatMessage> messages,
                                              const std::vector<Tool>& tools) {
  messages = with_system(std::move(messages));
  std::string& content =
      messages.front().content ? *messages.front().content : messages.front().content.emplace();
  if (!content.empty()) content += "\n\n";
  content += description_of(tools);
  return messages;
}

}  // namespace pensieve::model
