// SessionStore: the server's sessions, for every transport: calls that answer later, on a thread of the
// store's, and turns, which read a conversation, let it be answered, and keep question and answer together.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/generation.h"
#include "core/result.h"
#include "manage/task_thread.h"
#include "server/sessions/session.h"
#include "server/sessions/session_database.h"

namespace pensieve::server {

class SessionTurn;

// Thread rule: any thread. Callbacks run on the store's thread, exactly once; calls are done in their order.
// Where the file cannot be used, every call answers with that error.
class SessionStore {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  explicit SessionStore(std::string path, util::Log& log);
  ~SessionStore();

  // `session` needs owner, model, title and metadata; the rest is set here. `system`: the first message.
  void create(Session session, std::optional<std::string> system, Done<Session> done);
  void find(std::string owner, std::string id, Done<Session> done);
  void list(std::string owner, std::int64_t limit, std::optional<std::string> after, Done<SessionPage> done);
  void remove(std::string owner, std::string id, Done<std::string> done);  // answers the id
  void messages(std::string owner, std::string id, Done<std::vector<SessionMessage>> done);
  void append(std::string owner, std::string id, std::vector<ChatMessage> messages,
              Done<std::vector<SessionMessage>> done);
  // A new session with the messages up to and including `at`.
  void fork(std::string owner, std::string id, std::optional<std::string> at,
            std::optional<std::string> title, Done<Session> done);
  // Begins a turn; while one lasts, another one of the session, or an append to it, is `unavailable` with
  // reason "session_busy".
  void begin(std::string owner, std::string id, Done<std::shared_ptr<SessionTurn>> done);

 private:
  friend class SessionTurn;
  template <class T>
  void post(Done<T> done, std::function<Result<T>(SessionDatabase&)> work);
  // What turns share with the store: they may be held by models that outlive it.
  struct Desk {
    std::mutex mutex;
    std::set<std::string> busy;     // guarded by mutex: sessions with a turn
    SessionStore* store = nullptr;  // guarded by mutex; null once it has gone
  };
  using Hold = std::shared_ptr<void>;  // the session is busy as long as it lives
  Result<Hold> hold(const std::string& id);

  const std::string path_;
  util::Log& log_;
  std::optional<SessionDatabase> database_;  // of the store's thread; opened by its first call
  const std::shared_ptr<Desk> desk_ = std::make_shared<Desk>();
  std::unique_ptr<manage::TaskThread> thread_;
};

// One question and its answer within a session. Dropped without commit, it leaves no trace.
// Thread rule: one thread at a time. It may outlive the store: then nothing is kept.
class SessionTurn {
 public:
  SessionTurn(std::shared_ptr<SessionStore::Desk> desk, SessionStore::Hold hold, Session session,
              std::vector<SessionMessage> history);
  SessionTurn(const SessionTurn&) = delete;
  SessionTurn& operator=(const SessionTurn&) = delete;

  const Session& session() const { return session_; }
  // The whole conversation, with what is asked now at its end.
  std::vector<ChatMessage> ask(std::vector<ChatMessage> messages);
  void record(const ReplyEvent& event);  // of the answer, in order
  // Keeps question and answer; the session is free for the next turn when `done` is called.
  void commit(SessionStore::Done<std::vector<SessionMessage>> done);
  void release() { hold_.reset(); }  // instead: nothing is kept, and the session is free

 private:
  const std::shared_ptr<SessionStore::Desk> desk_;
  SessionStore::Hold hold_;
  const Session session_;
  std::vector<SessionMessage> history_;
  std::vector<ChatMessage> asked_;
  ChatMessage answer_;
};

}  // namespace pensieve::server
