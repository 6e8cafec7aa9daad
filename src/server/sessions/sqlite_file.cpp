// See sqlite_file.h.
#include "server/sessions/sqlite_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

namespace pensieve::server {
namespace {

constexpr int kVersion = 1;

}  // namespace

void SqliteFile::Closer::operator()(sqlite3* handle) const {
  sqlite3_close(handle);
}

tl::unexpected<Error> SqliteFile::problem(std::string_view doing) const {
  return fail(Error::Code::unavailable,
              fmt::format("{}: {}; see [server] session_file", doing,
                          handle_ ? sqlite3_errmsg(handle_.get()) : "out of memory"),
              {}, "sessions_unavailable");
}

Result<SqliteFile> SqliteFile::open(const std::string& path, std::string_view kept, const char* schema,
                                    std::int64_t most_bytes) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  // Conversations are nobody else's business: the file, and those that SQLite puts beside it with its rights.
  if (const int file = path == ":memory:" ? -1 : ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
      file >= 0)
    ::close(file);
  SqliteFile opened;
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int done = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  opened.handle_.reset(handle);
  if (done != SQLITE_OK) return opened.problem(fmt::format("{} cannot be kept in '{}'", kept, path));
  sqlite3_busy_timeout(handle, 5000);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, static_cast<int>(most_bytes));
  const std::string doing = fmt::format("{} cannot be read from '{}'", kept, path);
  {
    Statement version(handle, "PRAGMA user_version");
    if (version.step() != SQLITE_ROW) return opened.problem(doing);
    if (version.number(0) > kVersion) {
      return fail(
          Error::Code::unsupported,
          fmt::format("'{}' is of version {}, which a newer Pensieve wrote; this one reads version {}; set "
                      "[server] session_file to another file",
                      path, version.number(0), kVersion),
          {}, "sessions_unavailable");
    }
  }
  const std::string statements = fmt::format(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; {} PRAGMA "
      "user_version = {};",
      schema, kVersion);
  if (sqlite3_exec(handle, statements.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return opened.problem(doing);
  return opened;
}

Statement::Statement(sqlite3* handle, const char* text) {
  sqlite3_prepare_v2(handle, text, -1, &statement_, nullptr);
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(std::string_view value) {
  sqlite3_bind_text64(statement_, ++bound_, value.data() != nullptr ? value.data() : "", value.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind(std::int64_t value) {
  sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

Statement& Statement::bind(const std::optional<std::string>& value) {
  if (value) return bind(std::string_view(*value));
  sqlite3_bind_null(statement_, ++bound_);
  return *this;
}

int Statement::step() {
  return statement_ != nullptr ? sqlite3_step(statement_) : SQLITE_ERROR;
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes != nullptr
             ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
             : std::string();
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return text(column);
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

Transaction::Transaction(sqlite3* handle) : handle_(handle) {
  begun_ = sqlite3_exec(handle_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
}

Transaction::~Transaction() {
  if (begun_) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

bool Transaction::commit() {
  const bool done = sqlite3_exec(handle_, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK;
  if (done) begun_ = false;
  return done;
}

}  // namespace pensieve::server
