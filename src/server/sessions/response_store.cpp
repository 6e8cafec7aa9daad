// See response_store.h.
#include "server/sessions/response_store.h"

#include <utility>

#include "manage/guarded.h"

namespace pensieve::server {

ResponseStore::ResponseStore(std::string path, ResponseLimits limits, util::Log& log)
    : path_(std::move(path)),
      limits_(limits),
      log_(log),
      thread_(std::make_unique<manage::TaskThread>(&log)) {}

ResponseStore::~ResponseStore() {
  thread_.reset();
}

template <class T>
void ResponseStore::post(Done<T> done, std::function<Result<T>(ResponseDatabase&)> work) {
  thread_->post([this, done = std::move(done), work = std::move(work)](bool abandoned) {
    if (abandoned) {
      return done(
          fail(Error::Code::unavailable, "the server is shutting down; try again later", {}, "server_stops"));
    }
    if (!database_) {
      auto opened = ResponseDatabase::open(path_, limits_);
      if (!opened) {
        log_.write(util::LogLevel::warn, "responses_unavailable",
                   {{"message", std::string_view(opened.error().what)}});
        return done(tl::unexpected(std::move(opened.error())));
      }
      database_ = std::move(*opened);
    }
    done(manage::guarded("keeping a response", [&] { return work(*database_); }));
  });
}

void ResponseStore::keep(StoredResponse response, std::vector<StoredItem> items, Done<std::string> done) {
  post<std::string>(std::move(done),
                    [response = std::move(response),
                     items = std::move(items)](ResponseDatabase& database) -> Result<std::string> {
                      if (auto kept = database.keep(response, items); !kept)
                        return tl::unexpected(std::move(kept.error()));
                      return response.id;
                    });
}

void ResponseStore::find(std::string owner, std::string id, Done<StoredResponse> done) {
  post<StoredResponse>(std::move(done), [owner = std::move(owner), id = std::move(id)](
                                            ResponseDatabase& database) { return database.find(owner, id); });
}

void ResponseStore::remove(std::string owner, std::string id, Done<std::string> done) {
  post<std::string>(
      std::move(done),
      [owner = std::move(owner), id = std::move(id)](ResponseDatabase& database) -> Result<std::string> {
        if (auto gone = database.remove(owner, id); !gone) return tl::unexpected(std::move(gone.error()));
        return id;
      });
}

void ResponseStore::items(std::string owner, std::vector<std::string> ids,
                          Done<std::vector<std::string>> done) {
  using Bodies = std::vector<std::string>;
  post<Bodies>(
      std::move(done),
      [owner = std::move(owner), ids = std::move(ids)](ResponseDatabase& database) -> Result<Bodies> {
        Bodies bodies;
        for (const std::string& id : ids) {
          auto body = database.item(owner, id);
          if (!body) return tl::unexpected(std::move(body.error()));
          bodies.push_back(std::move(*body));
        }
        return bodies;
      });
}

}  // namespace pensieve::server
