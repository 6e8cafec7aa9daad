// The messages of a conversation in Ollama's form: arguments of calls are objects, and a result names its
// tool instead of the call.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "server/dialects/ollama_request.h"

namespace pensieve::server {
namespace {

constexpr std::array kFields{
    Field{"role", FieldKind::text},
    Field{"content", FieldKind::text},
    Field{"thinking", FieldKind::text},
    Field{"tool_calls", FieldKind::list},
    Field{"tool_name", FieldKind::text},
    Field{"tool_call_id", FieldKind::text},
    Field{"images", FieldKind::refused, 0, 0, "this model reads text only, no images"},
};

Result<ToolCall> read_call(const Json& value, const std::string& where) {
  if (!value.is_object()) return wrong_field(where, "an object", value);
  const Json* function = find_field(value, "function");
  if (function == nullptr || !function->is_object())
    return fail(Error::Code::invalid, where + ".function must be an object with a name", where + ".function");
  const Json* name = find_field(*function, "name");
  if (name == nullptr || !name->is_string() || name->get_ref<const std::string&>().empty()) {
    return fail(Error::Code::invalid, where + ".function.name must name the tool", where + ".function.name");
  }
  ToolCall call{{}, name->get<std::string>(), "{}"};
  if (const Json* id = find_field(value, "id"); id && id->is_string()) call.id = id->get<std::string>();
  if (const Json* arguments = find_field(*function, "arguments")) {
    if (!arguments->is_object()) return wrong_field(where + ".function.arguments", "an object", *arguments);
    call.arguments = util::to_json(*arguments);
  }
  return call;
}

Result<ChatMessage> read_message(const Json& value, std::size_t index) {
  const std::string place = fmt::format("messages[{}]", index);
  const std::string where = place + ".";
  if (!value.is_object()) return wrong_field(place, "an object", value);
  if (auto checked = check_fields(value, kFields, where); !checked) return tl::unexpected(checked.error());
  ChatMessage message;
  message.role = text_field(value, "role");
  if (message.role != "system" && message.role != "user" && message.role != "assistant" &&
      message.role != "tool") {
    return wrong_field(where + "role", "system, user, assistant or tool", Json(message.role));
  }
  message.content = text_field(value, "content");
  message.reasoning_content = text_field(value, "thinking");
  message.name = text_field(value, "tool_name");
  message.tool_call_id = text_field(value, "tool_call_id");
  if (const Json* calls = find_field(value, "tool_calls"); calls && message.role == "assistant") {
    for (std::size_t i = 0; i < calls->size(); ++i) {
      auto call = read_call((*calls)[i], fmt::format("{}tool_calls[{}]", where, i));
      if (!call) return tl::unexpected(std::move(call.error()));
      message.tool_calls.push_back(std::move(*call));
    }
    if (message.content->empty() && !message.tool_calls.empty()) message.content.reset();
  }
  return message;
}

}  // namespace

Result<std::vector<ChatMessage>> read_ollama_messages(const Json& list) {
  std::vector<ChatMessage> messages;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto message = read_message(list[i], i);
    if (!message) return tl::unexpected(std::move(message.error()));
    messages.push_back(std::move(*message));
  }
  return messages;
}

}  // namespace pensieve::server
