// Sessions and their messages as JSON, and the bodies that make them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/dialects/fields.h"
#include "server/sessions/session.h"

namespace pensieve::server {

struct NewSession {
  Session session;  // model, title, metadata
  std::optional<std::string> system;
};
Result<NewSession> read_new_session(const Json& body);

struct NewFork {
  std::optional<std::string> at, title;
};
Result<NewFork> read_new_fork(const Json& body);

std::string session_text(const Session& session);
std::string session_list_text(const SessionPage& page);
std::string session_messages_text(const std::vector<SessionMessage>& messages);

}  // namespace pensieve::server
