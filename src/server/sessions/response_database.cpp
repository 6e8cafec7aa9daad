// The schema and its statements. An answer is stored with all that it answers, so that the end of an older
// one breaks no conversation.
#include "server/sessions/response_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace pensieve::server {
namespace {

constexpr std::int64_t kMostBytes = 1 << 30;  // of one value: SQLite's own limit
constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS responses(
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, created_at INTEGER NOT NULL,
    bytes INTEGER NOT NULL, body TEXT NOT NULL, input TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS responses_by_owner ON responses(owner, number, bytes, created_at);
  CREATE TABLE IF NOT EXISTS response_items(
    id TEXT NOT NULL, response INTEGER NOT NULL REFERENCES responses(number) ON DELETE CASCADE, body TEXT NOT NULL,
    PRIMARY KEY(id, response)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS response_items_by_response ON response_items(response);
)";

Error not_found(std::string_view id) {
  return {
      Error::Code::not_found,
      fmt::format("response '{}' does not exist; it was not stored, was deleted, or made room for newer ones",
                  id.substr(0, 100)),
      "response_id",
      "response_not_found",
      {}};
}

}  // namespace

Result<ResponseDatabase> ResponseDatabase::open(const std::string& path, ResponseLimits limits) {
  auto file = SqliteFile::open(path, "responses", kSchema, kMostBytes);
  if (!file) return tl::unexpected(std::move(file.error()));
  return ResponseDatabase(std::move(*file), limits);
}

Result<> ResponseDatabase::make_room(const StoredResponse& response, std::int64_t bytes) {
  // Counted from the newest: what no longer fits beside it, and all before that, goes.
  Statement newest(file_.handle(),
                   "SELECT number, bytes, created_at FROM responses WHERE owner = ? ORDER BY number DESC");
  newest.bind(response.owner);
  std::int64_t count = 1, last = -1;
  int step = SQLITE_DONE;
  while ((step = newest.step()) == SQLITE_ROW) {
    bytes += newest.number(1);
    if (++count > limits_.count || bytes > limits_.bytes ||
        newest.number(2) < response.created_at - limits_.seconds) {
      last = newest.number(0);
      break;
    }
  }
  if (step != SQLITE_ROW && step != SQLITE_DONE) return file_.problem("the response was not kept");
  if (last < 0) return {};
  Statement erase(file_.handle(), "DELETE FROM responses WHERE owner = ? AND number <= ?");
  if (erase.bind(response.owner).bind(last).step() != SQLITE_DONE)
    return file_.problem("the response was not kept");
  return {};
}

Result<> ResponseDatabase::keep(const StoredResponse& response, const std::vector<StoredItem>& items) {
  auto bytes = static_cast<std::int64_t>(response.body.size() + response.input.size());
  for (const StoredItem& item : items) bytes += static_cast<std::int64_t>(item.body.size());
  if (bytes > limits_.bytes) {
    return fail(
        Error::Code::exhausted,
        fmt::format("the response was not kept: with its input it has {} bytes, and at most {} are kept; "
                    "send store: false, or raise [server] response_bytes",
                    bytes, limits_.bytes),
        "store", "response_too_large");
  }
  sqlite3* handle = file_.handle();
  Transaction transaction(handle);
  if (!transaction.begun()) return file_.problem("the response was not kept");
  if (auto room = make_room(response, bytes); !room) return room;
  Statement insert(
      handle, "INSERT INTO responses(id, owner, created_at, bytes, body, input) VALUES(?, ?, ?, ?, ?, ?)");
  insert.bind(response.id).bind(response.owner).bind(response.created_at).bind(bytes);
  if (insert.bind(response.body).bind(response.input).step() != SQLITE_DONE)
    return file_.problem("the response was not kept");
  const std::int64_t number = sqlite3_last_insert_rowid(handle);
  for (const StoredItem& item : items) {
    Statement add(handle, "INSERT OR REPLACE INTO response_items(id, response, body) VALUES(?, ?, ?)");
    if (add.bind(item.id).bind(number).bind(item.body).step() != SQLITE_DONE)
      return file_.problem("the response was not kept");
  }
  if (!transaction.commit()) return file_.problem("the response was not kept");
  return {};
}

Result<StoredResponse> ResponseDatabase::find(std::string_view owner, std::string_view id) {
  Statement select(file_.handle(),
                   "SELECT id, owner, created_at, body, input FROM responses WHERE owner = ? AND id = ?");
  const int step = select.bind(owner).bind(id).step();
  if (step == SQLITE_DONE) return tl::unexpected(not_found(id));
  if (step != SQLITE_ROW) return file_.problem("the response cannot be read");
  return StoredResponse{select.text(0), select.text(1), select.number(2), select.text(3), select.text(4)};
}

Result<> ResponseDatabase::remove(std::string_view owner, std::string_view id) {
  Statement erase(file_.handle(), "DELETE FROM responses WHERE owner = ? AND id = ?");
  if (erase.bind(owner).bind(id).step() != SQLITE_DONE) return file_.problem("the response was not deleted");
  if (sqlite3_changes(file_.handle()) == 0) return tl::unexpected(not_found(id));
  return {};
}

Result<std::string> ResponseDatabase::item(std::string_view owner, std::string_view id) {
  // A client may have given the same id to items of several requests: the newest is meant.
  Statement select(file_.handle(),
                   "SELECT response_items.body FROM response_items JOIN responses ON response = number "
                   "WHERE response_items.id = ? AND owner = ? ORDER BY number DESC LIMIT 1");
  const int step = select.bind(id).bind(owner).step();
  if (step == SQLITE_ROW) return select.text(0);
  if (step != SQLITE_DONE) return file_.problem("the item cannot be read");
  return fail(
      Error::Code::not_found,
      fmt::format("input: item '{}' is not kept here; items of answers with store: false are not, and old "
                  "ones make room for newer ones; send the item itself",
                  id.substr(0, 100)),
      "input", "item_not_found");
}

}  // namespace pensieve::server
