// SqliteFile: the file in which the server keeps sessions and responses, with its statements and
// transactions. Knows no table: those belong to session_database.cpp and response_database.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pensieve::server {

// Thread rule: one thread at a time. Several of them, in several processes too, may share one file.
class SqliteFile {
 public:
  // Creates the file and its folder where they are missing, readable for their owner only, and the tables of
  // `schema`, which must say IF NOT EXISTS: the others' tables live beside them. `kept`: what it is for, in
  // errors. No value is longer than `most_bytes`. A file that is no database, or of a newer version, is
  // refused and left as it is.
  static Result<SqliteFile> open(const std::string& path, std::string_view kept, const char* schema,
                                 std::int64_t most_bytes);

  sqlite3* handle() const { return handle_.get(); }
  // `unavailable`, naming what SQLite said.
  tl::unexpected<Error> problem(std::string_view doing) const;

 private:
  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Closer> handle_;
};

// A prepared statement; values are bound in order.
class Statement {
 public:
  Statement(sqlite3* handle, const char* text);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& bind(std::string_view value);
  Statement& bind(std::int64_t value);
  Statement& bind(const std::string& value) { return bind(std::string_view(value)); }
  Statement& bind(const std::optional<std::string>& value);
  int step();  // SQLITE_ROW, SQLITE_DONE, or what went wrong
  std::string text(int column) const;
  std::optional<std::string> optional_text(int column) const;
  std::int64_t number(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

// Undone unless committed.
class Transaction {
 public:
  explicit Transaction(sqlite3* handle);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  bool begun() const { return begun_; }
  bool commit();

 private:
  sqlite3* handle_;
  bool begun_ = false;
};

}  // namespace pensieve::server
