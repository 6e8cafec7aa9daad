// The messages of a conversation in OpenAI's form. Nothing is dropped: what cannot be taken is refused by
// name.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/dialects/chat_request.h"

namespace pensieve::server {
namespace {

constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user", "assistant", "tool"};

constexpr std::array kMessageFields{
    Field{"role", FieldKind::text},
    Field{"name", FieldKind::text},
    Field{"reasoning_content", FieldKind::text},
    Field{"tool_calls", FieldKind::list},
    Field{"tool_call_id", FieldKind::text},
    Field{"refusal", FieldKind::text},
    Field{"audio", FieldKind::refused},
    Field{"function_call", FieldKind::refused, 0, 0, "use tool_calls"},
};

constexpr std::array kCallFields{
    Field{"id", FieldKind::text},
    Field{"type", FieldKind::text},
    Field{"function", FieldKind::object},
};

tl::unexpected<Error> missing(const std::string& field, std::string_view what) {
  return fail(Error::Code::invalid, fmt::format("{} is missing: {}", field, what), field);
}

// One content part to its text.
Result<std::string> read_part(const Json& part, const std::string& where) {
  if (!part.is_object()) return wrong_field(where, "an object with a 'type'", part);
  const Json* type = find_field(part, "type");
  if (type == nullptr) return missing(where + ".type", "say 'text'");
  if (!type->is_string()) return wrong_field(where + ".type", "a string", *type);
  const auto& kind = type->get_ref<const std::string&>();
  if (kind != "text" && kind != "refusal") {
    const bool media = kind == "image_url" || kind == "input_audio" || kind == "file";
    return fail(
        media ? Error::Code::unsupported : Error::Code::invalid,
        media
            ? fmt::format("{}.type: '{}' needs a model for images, sound or files; this one reads text only",
                          where, kind)
            : fmt::format("{}.type: '{}' is unknown; 'text' and 'refusal' are understood", where,
                          kind.substr(0, 60)),
        where + ".type");
  }
  const Json* text = find_field(part, kind);
  if (text == nullptr) return missing(where + "." + kind, "a part of that type needs it");
  if (!text->is_string()) return wrong_field(where + "." + kind, "a string", *text);
  return text->get<std::string>();
}

Result<std::optional<std::string>> read_content(const Json& message, const std::string& where) {
  const Json* content = find_field(message, "content");
  if (content == nullptr) return std::optional<std::string>();
  if (content->is_string()) return std::optional(content->get<std::string>());
  if (!content->is_array()) return wrong_field(where + "content", "a string or a list of parts", *content);
  std::string all;
  for (std::size_t i = 0; i < content->size(); ++i) {
    auto text = read_part((*content)[i], fmt::format("{}content[{}]", where, i));
    if (!text) return tl::unexpected(std::move(text.error()));
    if (i > 0) all += '\n';  // parts are separate blocks: words at their borders must not grow together
    all += *text;
  }
  return std::optional(std::move(all));
}

Result<ToolCall> read_tool_call(const Json& value, const std::string& where) {
  if (!value.is_object()) return wrong_field(where, "an object", value);
  if (auto checked = check_fields(value, kCallFields, where + "."); !checked)
    return tl::unexpected(checked.error());
  const Json* function = find_field(value, "function");
  const Json* name = function ? find_field(*function, "name") : nullptr;
  if (name == nullptr) return missing(where + ".function.name", "a call names its function");
  if (!name->is_string() || name->get_ref<const std::string&>().empty()) {
    return wrong_field(where + ".function.name", "a string with at least one character", *name);
  }
  ToolCall call{text_field(value, "id"), name->get<std::string>(), "{}"};
  if (const Json* arguments = find_field(*function, "arguments")) {
    if (!arguments->is_string() && !arguments->is_object()) {
      return wrong_field(where + ".function.arguments", "JSON text of an object", *arguments);
    }
    call.arguments = arguments->is_string() ? arguments->get<std::string>() : util::to_json(*arguments);
    if (call.arguments.empty()) call.arguments = "{}";
  }
  return call;
}

Result<> read_role(const Json& value, const std::string& where, ChatMessage& message) {
  const Json* role = find_field(value, "role");
  if (role == nullptr) return missing(where + "role", "system, developer, user, assistant or tool");
  message.role = role->get<std::string>();
  if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end()) {
    return wrong_field(where + "role", "system, developer, user, assistant or tool", *role);
  }
  if (message.role == "developer") message.role = "system";
  return {};
}

Result<ChatMessage> read_message(const Json& value, std::size_t index) {
  const std::string where = fmt::format("messages[{}].", index);
  if (!value.is_object()) return wrong_field(where.substr(0, where.size() - 1), "an object", value);
  if (auto checked = check_fields(value, kMessageFields, where); !checked)
    return tl::unexpected(checked.error());
  ChatMessage message;
  if (auto role = read_role(value, where, message); !role) return tl::unexpected(role.error());
  auto content = read_content(value, where);
  if (!content) return tl::unexpected(std::move(content.error()));
  message.content = std::move(*content);
  message.reasoning_content = text_field(value, "reasoning_content");
  message.tool_call_id = text_field(value, "tool_call_id");
  message.name = text_field(value, "name");
  if (const Json* calls = find_field(value, "tool_calls"); calls && message.role == "assistant") {
    for (std::size_t i = 0; i < calls->size(); ++i) {
      auto call = read_tool_call((*calls)[i], fmt::format("{}tool_calls[{}]", where, i));
      if (!call) return tl::unexpected(std::move(call.error()));
      message.tool_calls.push_back(std::move(*call));
    }
  }
  if (!message.content && message.role == "assistant") {
    if (const Json* refusal = find_field(value, "refusal")) message.content = refusal->get<std::string>();
  }
  const bool may_lack =
      message.role == "assistant" && (!message.tool_calls.empty() || !message.reasoning_content.empty());
  if (!message.content && !may_lack)
    return missing(where + "content", "a message says something, if only \"\"");
  return message;
}

}  // namespace

Result<std::vector<ChatMessage>> read_messages(const Json& body) {
  const Json* list = find_field(body, "messages");
  if (list == nullptr) return missing("messages", "a list of {\"role\":…,\"content\":…}");
  if (!list->is_array()) return wrong_field("messages", "a list", *list);
  if (list->empty())
    return fail(Error::Code::invalid, "messages is empty; at least one message is needed", "messages");
  std::vector<ChatMessage> messages;
  messages.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto message = read_message((*list)[i], i);
    if (!message) return tl::unexpected(std::move(message.error()));
    messages.push_back(std::move(*message));
  }
  return messages;
}

}  // namespace pensieve::server
