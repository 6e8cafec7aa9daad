// See session_json.h.
#include "server/dialects/session_json.h"

#include <fmt/format.h>

#include <array>

namespace pensieve::server {
namespace {

constexpr std::size_t kLongestTitle = 1000;      // bytes
constexpr std::size_t kLongestMetadata = 16384;  // bytes of JSON

constexpr std::array kSessionFields{
    Field{"model", FieldKind::text},
    Field{"title", FieldKind::text},
    Field{"metadata", FieldKind::object},
    Field{"system", FieldKind::text},
};
constexpr std::array kForkFields{
    Field{"at", FieldKind::text},
    Field{"title", FieldKind::text},
};

std::optional<std::string> optional_text(const Json& body, std::string_view name) {
  if (find_field(body, name) == nullptr) return std::nullopt;
  return text_field(body, name);
}

Result<std::optional<std::string>> read_title(const Json& body) {
  auto title = optional_text(body, "title");
  if (title && title->size() > kLongestTitle) {
    return fail(Error::Code::invalid,
                fmt::format("title has {} bytes, more than {}", title->size(), kLongestTitle), "title");
  }
  return title;
}

Json json_of(const Session& session) {
  Json metadata = util::parse_json(session.metadata).value_or(Json::object());
  return {{"id", session.id},
          {"object", "session"},
          {"model", session.model},
          {"title", session.title ? Json(*session.title) : Json()},
          {"metadata", std::move(metadata)},
          {"parent_id", session.parent_id ? Json(*session.parent_id) : Json()},
          {"created_at", session.created_at},
          {"message_count", session.message_count}};
}

Json json_of(const SessionMessage& kept) {
  const ChatMessage& message = kept.message;
  Json json{{"id", kept.id},
            {"object", "session.message"},
            {"role", message.role},
            {"content", message.content ? Json(*message.content) : Json()},
            {"created_at", kept.created_at}};
  if (!message.reasoning_content.empty()) json["reasoning_content"] = message.reasoning_content;
  for (const ToolCall& call : message.tool_calls) {
    json["tool_calls"].push_back({{"id", call.id},
                                  {"type", "function"},
                                  {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
  if (!message.name.empty()) json["name"] = message.name;
  return json;
}

}  // namespace

Result<NewSession> read_new_session(const Json& body) {
  if (auto checked = check_fields(body, kSessionFields); !checked) return tl::unexpected(checked.error());
  NewSession made;
  made.session.model = text_field(body, "model");
  auto title = read_title(body);
  if (!title) return tl::unexpected(std::move(title.error()));
  made.session.title = std::move(*title);
  if (const Json* metadata = find_field(body, "metadata")) {
    made.session.metadata = util::to_json(*metadata);
    if (made.session.metadata.size() > kLongestMetadata) {
      return fail(Error::Code::invalid,
                  fmt::format("metadata has {} bytes as JSON, more than {}", made.session.metadata.size(),
                              kLongestMetadata),
                  "metadata");
    }
  }
  made.system = optional_text(body, "system");
  return made;
}

Result<NewFork> read_new_fork(const Json& body) {
  if (auto checked = check_fields(body, kForkFields); !checked) return tl::unexpected(checked.error());
  auto title = read_title(body);
  if (!title) return tl::unexpected(std::move(title.error()));
  return NewFork{optional_text(body, "at"), std::move(*title)};
}

std::string session_text(const Session& session) {
  return util::to_json(json_of(session));
}

std::string session_list_text(const SessionPage& page) {
  Json data = Json::array();
  for (const Session& session : page.sessions) data.push_back(json_of(session));
  return util::to_json({{"object", "list"}, {"data", std::move(data)}, {"has_more", page.more}});
}

std::string session_messages_text(const std::vector<SessionMessage>& messages) {
  Json data = Json::array();
  for (const SessionMessage& message : messages) data.push_back(json_of(message));
  return util::to_json({{"object", "list"}, {"data", std::move(data)}, {"has_more", false}});
}

}  // namespace pensieve::server
