// ResponseDatabase: answers of the Responses API, kept in the file of the sessions. Every call blocks;
// response_store.h gives it a thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "server/sessions/sqlite_file.h"

namespace pensieve::server {

struct StoredResponse {
  std::string id;               // "resp_…"
  std::string owner;            // who asked; others do not see it. Empty where the server knows no tenants
  std::int64_t created_at = 0;  // seconds since 1970
  std::string body;             // JSON text: the answer as it was given
  std::string input;            // JSON text: a list of all items it answers, those of earlier answers too
};

struct StoredItem {  // what later requests may refer to
  std::string id;
  std::string body;  // JSON text
};

// What is kept of each owner: the newest.
struct ResponseLimits {
  std::int64_t count = 10'000;
  std::int64_t bytes = 256 << 20;
  std::int64_t seconds = 30LL * 24 * 3600;  // as long as OpenAI keeps them
};

// Thread rule: one thread at a time. Errors: `not_found` with reason "response_not_found" or "item_not_found"
// for what is not there or not the owner's; `exhausted` for an answer larger than everything that may be
// kept; `unavailable` when the file cannot be read or written.
class ResponseDatabase {
 public:
  static Result<ResponseDatabase> open(const std::string& path, ResponseLimits limits);

  // `items`: those of this request and its answer. The oldest answers of the owner make room.
  Result<> keep(const StoredResponse& response, const std::vector<StoredItem>& items);
  Result<StoredResponse> find(std::string_view owner, std::string_view id);
  Result<> remove(std::string_view owner, std::string_view id);
  Result<std::string> item(std::string_view owner, std::string_view id);  // its body

 private:
  ResponseDatabase(SqliteFile file, ResponseLimits limits) : file_(std::move(file)), limits_(limits) {}
  Result<> make_room(const StoredResponse& response, std::int64_t bytes);
  SqliteFile file_;
  ResponseLimits limits_;
};

}  // namespace pensieve::server
