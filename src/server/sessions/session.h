// Session: a conversation that the server keeps, and its messages. Data only; where they are kept is in
// session_database.h, how requests use them in session_store.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/chat.h"

namespace pensieve::server {

struct Session {
  std::string id;     // "sess_…"
  std::string owner;  // who made it; others do not see it. Empty where the server knows no tenants
  std::string model;
  std::optional<std::string> title, parent_id;
  std::string metadata = "{}";  // JSON text of an object
  std::int64_t created_at = 0;  // seconds since 1970
  std::int64_t message_count = 0;
};

struct SessionMessage {
  std::string id;  // "msg_…", unique within the session; a fork's messages keep theirs
  std::int64_t created_at = 0;
  ChatMessage message;
};

struct SessionPage {
  std::vector<Session> sessions;  // newest first
  bool more = false;
};

}  // namespace pensieve::server
