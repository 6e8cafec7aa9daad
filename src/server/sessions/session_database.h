// SessionDatabase: sessions in one SQLite file. Every call blocks; session_store.h gives it a thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "server/sessions/session.h"
#include "server/sessions/sqlite_file.h"

namespace pensieve::server {

// Thread rule: one thread at a time. Several processes may share the file. Errors: `not_found` with reason
// "session_not_found" for a session that is not there or not the owner's; `exhausted` when a limit is
// reached; `unavailable` when the file cannot be read or written, naming what SQLite said.
class SessionDatabase {
 public:
  // Largest session: what a request could not carry back to a model anyway.
  static constexpr std::int64_t kMostMessages = 20'000;
  static constexpr std::int64_t kMostBytes = 64 << 20;

  // Creates the file and its folder where they are missing. A file that is no database, or of a newer
  // version, is refused and left as it is.
  static Result<SessionDatabase> open(const std::string& path);

  Result<> create(const Session& session, const std::vector<SessionMessage>& messages);
  Result<Session> find(std::string_view owner, std::string_view id);
  // Those made before `after` (the id of one of them), at most `limit`.
  Result<SessionPage> list(std::string_view owner, std::int64_t limit,
                           const std::optional<std::string>& after);
  Result<> remove(std::string_view owner, std::string_view id);
  Result<std::vector<SessionMessage>> messages(std::string_view owner, std::string_view id);
  Result<> append(std::string_view owner, std::string_view id, const std::vector<SessionMessage>& messages);

 private:
  explicit SessionDatabase(SqliteFile file) : file_(std::move(file)) {}
  SqliteFile file_;
};

}  // namespace pensieve::server
