// The schema and its statements. A message is stored as JSON text, so that fields can be added without a new
// schema.
#include "server/sessions/session_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

#include "util/json.h"

namespace pensieve::server {
namespace {

using util::Json;

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS sessions(
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, model TEXT NOT NULL,
    title TEXT, parent_id TEXT, metadata TEXT NOT NULL, created_at INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS sessions_by_owner ON sessions(owner, number);
  CREATE TABLE IF NOT EXISTS messages(
    session INTEGER NOT NULL REFERENCES sessions(number) ON DELETE CASCADE, position INTEGER NOT NULL,
    id TEXT NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(session, position)) WITHOUT ROWID;
)";

std::string body_of(const ChatMessage& message) {
  Json body{{"role", message.role}};
  if (message.content) body["content"] = *message.content;
  if (!message.reasoning_content.empty()) body["reasoning_content"] = message.reasoning_content;
  if (!message.tool_call_id.empty()) body["tool_call_id"] = message.tool_call_id;
  if (!message.name.empty()) body["name"] = message.name;
  for (const ToolCall& call : message.tool_calls)
    body["tool_calls"].push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  return util::to_json(body);
}

Result<ChatMessage> message_of(std::string_view body) {
  const auto parsed = util::parse_json(body);
  if (!parsed || !parsed->is_object())
    return fail(Error::Code::internal,
                "the session file holds a damaged message; restore it from a copy, or delete it");
  const auto text = [](const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  ChatMessage message;
  message.role = text(*parsed, "role");
  if (parsed->contains("content")) message.content = text(*parsed, "content");
  message.reasoning_content = text(*parsed, "reasoning_content");
  message.tool_call_id = text(*parsed, "tool_call_id");
  message.name = text(*parsed, "name");
  if (const auto calls = parsed->find("tool_calls"); calls != parsed->end() && calls->is_array()) {
    for (const Json& call : *calls) {
      if (call.is_object())
        message.tool_calls.push_back({text(call, "id"), text(call, "name"), text(call, "arguments")});
    }
  }
  return message;
}

Error not_found(std::string_view id) {
  return {Error::Code::not_found,
          fmt::format("session '{}' does not exist; POST /v1/sessions makes one", id.substr(0, 100)),
          "session",
          "session_not_found",
          {}};
}

constexpr const char* kColumns =
    "SELECT id, owner, model, title, parent_id, metadata, created_at, "
    "(SELECT count(*) FROM messages WHERE session = number) FROM sessions ";

Session session_of(const Statement& row) {
  Session session;
  session.id = row.text(0);
  session.owner = row.text(1);
  session.model = row.text(2);
  session.title = row.optional_text(3);
  session.parent_id = row.optional_text(4);
  session.metadata = row.text(5);
  session.created_at = row.number(6);
  session.message_count = row.number(7);
  return session;
}

}  // namespace

Result<SessionDatabase> SessionDatabase::open(const std::string& path) {
  auto file = SqliteFile::open(path, "sessions", kSchema, kMostBytes);
  if (!file) return tl::unexpected(std::move(file.error()));
  return SessionDatabase(std::move(*file));
}

Result<> SessionDatabase::create(const Session& session, const std::vector<SessionMessage>& messages) {
  sqlite3* handle = file_.handle();
  Transaction transaction(handle);
  Statement insert(handle,
                   "INSERT INTO sessions(id, owner, model, title, parent_id, metadata, created_at) "
                   "VALUES(?, ?, ?, ?, ?, ?, ?)");
  insert.bind(session.id).bind(session.owner).bind(session.model).bind(session.title).bind(session.parent_id);
  insert.bind(session.metadata).bind(session.created_at);
  if (!transaction.begun() || insert.step() != SQLITE_DONE) return file_.problem("the session was not kept");
  std::int64_t position = 0;
  const std::int64_t number = sqlite3_last_insert_rowid(handle);
  for (const SessionMessage& message : messages) {
    Statement add(handle, "INSERT INTO messages VALUES(?, ?, ?, ?, ?)");
    add.bind(number)
        .bind(position++)
        .bind(message.id)
        .bind(message.created_at)
        .bind(body_of(message.message));
    if (add.step() != SQLITE_DONE) return file_.problem("the session was not kept");
  }
  if (!transaction.commit()) return file_.problem("the session was not kept");
  return {};
}

Result<Session> SessionDatabase::find(std::string_view owner, std::string_view id) {
  Statement select(file_.handle(), (std::string(kColumns) + "WHERE owner = ? AND id = ?").c_str());
  const int step = select.bind(owner).bind(id).step();
  if (step == SQLITE_DONE) return tl::unexpected(not_found(id));
  if (step != SQLITE_ROW) return file_.problem("the session cannot be read");
  return session_of(select);
}

Result<SessionPage> SessionDatabase::list(std::string_view owner, std::int64_t limit,
                                          const std::optional<std::string>& after) {
  if (after) {
    if (auto known = find(owner, *after); !known) return tl::unexpected(known.error());
  }
  Statement select(
      file_.handle(),
      (std::string(kColumns) + "WHERE owner = ? AND number < coalesce((SELECT number FROM sessions WHERE "
                               "id = ?), 9223372036854775807) ORDER BY number DESC LIMIT ?")
          .c_str());
  select.bind(owner).bind(after).bind(limit + 1);
  SessionPage page;
  int step = SQLITE_DONE;
  while ((step = select.step()) == SQLITE_ROW) page.sessions.push_back(session_of(select));
  if (step != SQLITE_DONE) return file_.problem("the sessions cannot be read");
  page.more = static_cast<std::int64_t>(page.sessions.size()) > limit;
  if (page.more) page.sessions.pop_back();
  return page;
}

Result<> SessionDatabase::remove(std::string_view owner, std::string_view id) {
  Statement erase(file_.handle(), "DELETE FROM sessions WHERE owner = ? AND id = ?");
  if (erase.bind(owner).bind(id).step() != SQLITE_DONE) return file_.problem("the session was not deleted");
  if (sqlite3_changes(file_.handle()) == 0) return tl::unexpected(not_found(id));
  return {};
}

Result<std::vector<SessionMessage>> SessionDatabase::messages(std::string_view owner, std::string_view id) {
  if (auto known = find(owner, id); !known) return tl::unexpected(known.error());
  Statement select(
      file_.handle(),
      "SELECT messages.id, messages.created_at, body FROM messages JOIN sessions ON session = number "
      "WHERE sessions.id = ? ORDER BY position");
  select.bind(id);
  std::vector<SessionMessage> found;
  int step = SQLITE_DONE;
  while ((step = select.step()) == SQLITE_ROW) {
    auto message = message_of(select.text(2));
    if (!message) return tl::unexpected(std::move(message.error()));
    found.push_back({select.text(0), select.number(1), std::move(*message)});
  }
  if (step != SQLITE_DONE) return file_.problem("the session cannot be read");
  return found;
}

Result<> SessionDatabase::append(std::string_view owner, std::string_view id,
                                 const std::vector<SessionMessage>& messages) {
  sqlite3* handle = file_.handle();
  Transaction transaction(handle);
  if (!transaction.begun()) return file_.problem("the messages were not kept");
  Statement select(handle,
                   "SELECT number, (SELECT count(*) FROM messages WHERE session = number), "
                   "(SELECT coalesce(sum(length(body)), 0) FROM messages WHERE session = number) "
                   "FROM sessions WHERE owner = ? AND id = ?");
  const int step = select.bind(owner).bind(id).step();
  if (step == SQLITE_DONE) return tl::unexpected(not_found(id));
  if (step != SQLITE_ROW) return file_.problem("the session cannot be read");
  const std::int64_t number = select.number(0);
  std::int64_t position = select.number(1), bytes = select.number(2);
  for (const SessionMessage& message : messages) {
    const std::string body = body_of(message.message);
    bytes += static_cast<std::int64_t>(body.size());
    if (position >= kMostMessages || bytes > kMostBytes) {
      return fail(
          Error::Code::exhausted,
          fmt::format("session '{}' is full: a session holds at most {} messages of {} bytes; fork it at an "
                      "earlier message, or begin a new one",
                      id, kMostMessages, kMostBytes),
          "session", "session_full");
    }
    Statement add(handle, "INSERT INTO messages VALUES(?, ?, ?, ?, ?)");
    add.bind(number).bind(position++).bind(message.id).bind(message.created_at).bind(body);
    if (add.step() != SQLITE_DONE) return file_.problem("the messages were not kept");
  }
  if (!transaction.commit()) return file_.problem("the messages were not kept");
  return {};
}

}  // namespace pensieve::server
