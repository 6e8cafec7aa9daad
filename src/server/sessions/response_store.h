// ResponseStore: the answers that the server keeps, for every transport: calls that answer later, on a thread
// of the store's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "manage/task_thread.h"
#include "server/sessions/response_database.h"

namespace pensieve::server {

// Thread rule: any thread. Callbacks run on the store's thread, exactly once; calls are done in their order.
// Where the file cannot be used, every call answers with that error.
class ResponseStore {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  ResponseStore(std::string path, ResponseLimits limits, util::Log& log);
  ~ResponseStore();

  void keep(StoredResponse response, std::vector<StoredItem> items,
            Done<std::string> done);  // answers the id
  void find(std::string owner, std::string id, Done<StoredResponse> done);
  void remove(std::string owner, std::string id, Done<std::string> done);  // answers the id
  // Bodies of items, in the order of `ids`; all or an error.
  void items(std::string owner, std::vector<std::string> ids, Done<std::vector<std::string>> done);

 private:
  template <class T>
  void post(Done<T> done, std::function<Result<T>(ResponseDatabase&)> work);

  const std::string path_;
  const ResponseLimits limits_;
  util::Log& log_;
  std::optional<ResponseDatabase> database_;  // of the store's thread; opened by its first call
  std::unique_ptr<manage::TaskThread> thread_;
};

}  // namespace pensieve::server
