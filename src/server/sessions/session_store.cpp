// See session_store.h.
#include "server/sessions/session_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "manage/guarded.h"
#include "server/random_id.h"
#include "server/wall_clock.h"

namespace pensieve::server {
namespace {

std::vector<SessionMessage> numbered(std::vector<ChatMessage> messages) {
  std::vector<SessionMessage> made;
  made.reserve(messages.size());
  for (ChatMessage& message : messages)
    made.push_back({random_id("msg_"), seconds_now(), std::move(message)});
  return made;
}

Error busy(const std::string& id) {
  return {Error::Code::unavailable,
          fmt::format("session '{}' is being answered; wait for that answer, or fork the session", id),
          "session",
          "session_busy",
          {}};
}

Error stopping() {
  return {Error::Code::unavailable, "the server is shutting down; try again later", {}, "server_stops", {}};
}

}  // namespace

SessionStore::SessionStore(std::string path, util::Log& log)
    : path_(std::move(path)), log_(log), thread_(std::make_unique<manage::TaskThread>(&log)) {
  desk_->store = this;
}

SessionStore::~SessionStore() {
  {
    const std::lock_guard lock(desk_->mutex);
    desk_->store = nullptr;
  }
  thread_.reset();
}

template <class T>
void SessionStore::post(Done<T> done, std::function<Result<T>(SessionDatabase&)> work) {
  thread_->post([this, done = std::move(done), work = std::move(work)](bool abandoned) {
    if (abandoned) return done(tl::unexpected(stopping()));
    if (!database_) {
      auto opened = SessionDatabase::open(path_);
      if (!opened) {
        log_.write(util::LogLevel::warn, "sessions_unavailable",
                   {{"message", std::string_view(opened.error().what)}});
        return done(tl::unexpected(std::move(opened.error())));
      }
      database_ = std::move(*opened);
    }
    done(manage::guarded("keeping a session", [&] { return work(*database_); }));
  });
}

Result<SessionStore::Hold> SessionStore::hold(const std::string& id) {
  {
    const std::lock_guard lock(desk_->mutex);
    if (!desk_->busy.insert(id).second) return tl::unexpected(busy(id));
  }
  return Hold(nullptr, [desk = desk_, id](void*) {
    const std::lock_guard lock(desk->mutex);
    desk->busy.erase(id);
  });
}

void SessionStore::create(Session session, std::optional<std::string> system, Done<Session> done) {
  session.id = random_id("sess_");
  session.created_at = seconds_now();
  std::vector<ChatMessage> first;
  if (system) first.push_back({.role = "system", .content = std::move(*system)});
  session.message_count = static_cast<std::int64_t>(first.size());
  post<Session>(
      std::move(done),
      [session = std::move(session), first = std::move(first)](SessionDatabase& database) -> Result<Session> {
        if (auto made = database.create(session, numbered(first)); !made) return tl::unexpected(made.error());
        return session;
      });
}

void SessionStore::find(std::string owner, std::string id, Done<Session> done) {
  post<Session>(std::move(done), [owner = std::move(owner), id = std::move(id)](SessionDatabase& database) {
    return database.find(owner, id);
  });
}

void SessionStore::list(std::string owner, std::int64_t limit, std::optional<std::string> after,
                        Done<SessionPage> done) {
  post<SessionPage>(std::move(done),
                    [owner = std::move(owner), limit, after = std::move(after)](SessionDatabase& database) {
                      return database.list(owner, limit, after);
                    });
}

void SessionStore::remove(std::string owner, std::string id, Done<std::string> done) {
  post<std::string>(
      std::move(done),
      [owner = std::move(owner), id = std::move(id)](SessionDatabase& database) -> Result<std::string> {
        if (auto gone = database.remove(owner, id); !gone) return tl::unexpected(gone.error());
        return id;
      });
}

void SessionStore::messages(std::string owner, std::string id, Done<std::vector<SessionMessage>> done) {
  post<std::vector<SessionMessage>>(
      std::move(done), [owner = std::move(owner), id = std::move(id)](SessionDatabase& database) {
        return database.messages(owner, id);
      });
}

void SessionStore::append(std::string owner, std::string id, std::vector<ChatMessage> messages,
                          Done<std::vector<SessionMessage>> done) {
  using Kept = std::vector<SessionMessage>;
  post<Kept>(std::move(done),
             [this, owner = std::move(owner), id = std::move(id),
              messages = std::move(messages)](SessionDatabase& database) -> Result<Kept> {
               const Result<Hold> held = hold(id);
               if (!held) return tl::unexpected(held.error());
               Kept kept = numbered(messages);
               if (const auto added = database.append(owner, id, kept); !added)
                 return tl::unexpected(added.error());
               return kept;
             });
}

void SessionStore::fork(std::string owner, std::string id, std::optional<std::string> at,
                        std::optional<std::string> title, Done<Session> done) {
  post<Session>(
      std::move(done),
      [owner = std::move(owner), id = std::move(id), at = std::move(at),
       title = std::move(title)](SessionDatabase& database) -> Result<Session> {
        auto session = database.find(owner, id);
        if (!session) return session;
        auto messages = database.messages(owner, id);
        if (!messages) return tl::unexpected(std::move(messages.error()));
        if (at) {
          const auto last = std::find_if(messages->begin(), messages->end(),
                                         [&](const SessionMessage& message) { return message.id == *at; });
          if (last == messages->end()) {
            return fail(Error::Code::not_found,
                        fmt::format("at: session '{}' has no message '{}'; GET its messages for their ids",
                                    id, at->substr(0, 100)),
                        "at", "message_not_found");
          }
          messages->erase(last + 1, messages->end());
        }
        session->parent_id = session->id;
        session->id = random_id("sess_");
        if (title) session->title = title;
        session->created_at = seconds_now();
        session->message_count = static_cast<std::int64_t>(messages->size());
        if (auto made = database.create(*session, *messages); !made) return tl::unexpected(made.error());
        return session;
      });
}

void SessionStore::begin(std::string owner, std::string id, Done<std::shared_ptr<SessionTurn>> done) {
  using Begun = std::shared_ptr<SessionTurn>;
  post<Begun>(
      std::move(done),
      [this, owner = std::move(owner), id = std::move(id)](SessionDatabase& database) -> Result<Begun> {
        auto session = database.find(owner, id);
        if (!session) return tl::unexpected(std::move(session.error()));
        auto history = database.messages(owner, id);
        if (!history) return tl::unexpected(std::move(history.error()));
        Result<Hold> held = hold(id);
        if (!held) return tl::unexpected(std::move(held.error()));
        return std::make_shared<SessionTurn>(desk_, std::move(*held), std::move(*session),
                                             std::move(*history));
      });
}

SessionTurn::SessionTurn(std::shared_ptr<SessionStore::Desk> desk, SessionStore::Hold hold, Session session,
                         std::vector<SessionMessage> history)
    : desk_(std::move(desk)),
      hold_(std::move(hold)),
      session_(std::move(session)),
      history_(std::move(history)) {
  answer_.role = "assistant";
}

std::vector<ChatMessage> SessionTurn::ask(std::vector<ChatMessage> messages) {
  asked_ = std::move(messages);
  std::vector<ChatMessage> conversation;
  conversation.reserve(history_.size() + asked_.size());
  for (const SessionMessage& message : history_) conversation.push_back(message.message);
  conversation.insert(conversation.end(), asked_.begin(), asked_.end());
  return conversation;
}

void SessionTurn::record(const ReplyEvent& event) {
  if (const auto* text = std::get_if<TextDelta>(&event.what)) {
    if (text->reasoning) {
      answer_.reasoning_content += text->text;
    } else {
      answer_.content = answer_.content.value_or("") + text->text;
    }
  } else if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    const auto index = static_cast<std::size_t>(call->index);
    if (answer_.tool_calls.size() <= index) answer_.tool_calls.resize(index + 1);
    ToolCall& kept = answer_.tool_calls[index];
    if (!call->id.empty()) kept.id = call->id;
    if (!call->name.empty()) kept.name = call->name;
    kept.arguments += call->arguments;
  }
}

void SessionTurn::commit(SessionStore::Done<std::vector<SessionMessage>> done) {
  using Kept = std::vector<SessionMessage>;
  if (!answer_.content && answer_.tool_calls.empty()) answer_.content = "";
  asked_.push_back(std::move(answer_));
  // Shared, so that it ends when `done` is called and not when the last copy of that call does.
  const auto held = std::make_shared<SessionStore::Hold>(std::move(hold_));
  const SessionStore::Done<Kept> finish = [held, done = std::move(done)](Result<Kept> kept) {
    held->reset();
    done(std::move(kept));
  };
  std::unique_lock lock(desk_->mutex);
  if (desk_->store == nullptr) {
    lock.unlock();
    return finish(tl::unexpected(stopping()));
  }
  desk_->store->post<Kept>(
      finish, [session = session_, asked = std::move(asked_)](SessionDatabase& database) -> Result<Kept> {
        Kept kept = numbered(asked);
        if (auto added = database.append(session.owner, session.id, kept); !added)
          return tl::unexpected(added.error());
        return kept;
      });
}

}  // namespace pensieve::server
