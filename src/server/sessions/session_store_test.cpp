// Sessions as the endpoints see them: kept over a restart, separate between owners, whole turns or nothing.
#include "server/sessions/session_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

namespace pensieve::server {
namespace {

using ::testing::HasSubstr;

class SessionStoreTest : public testing::Test {
 protected:
  SessionStoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pensieve-sessions-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    open();
  }
  ~SessionStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string file() const { return (folder_ / "deep" / "sessions.db").string(); }
  void open() {
    store_.reset();
    store_ = std::make_unique<SessionStore>(file(), log_);
  }

  template <class T, class Call>
  Result<T> answer(Call call) {
    std::promise<Result<T>> promise;
    call([&promise](Result<T> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  Session make(const std::string& owner = "") {
    Session wanted;
    wanted.model = "m";
    wanted.owner = owner;
    return *answer<Session>([&](auto done) { store_->create(wanted, std::nullopt, std::move(done)); });
  }
  Result<std::vector<SessionMessage>> messages(const std::string& id, const std::string& owner = "") {
    return answer<std::vector<SessionMessage>>(
        [&](auto done) { store_->messages(owner, id, std::move(done)); });
  }
  Result<std::shared_ptr<SessionTurn>> begin(const std::string& id) {
    return answer<std::shared_ptr<SessionTurn>>([&](auto done) { store_->begin("", id, std::move(done)); });
  }
  Result<std::vector<SessionMessage>> append(const std::string& id, std::vector<ChatMessage> list) {
    return answer<std::vector<SessionMessage>>(
        [&](auto done) { store_->append("", id, std::move(list), std::move(done)); });
  }
  static ChatMessage said(std::string text) { return {.role = "user", .content = std::move(text)}; }

  std::filesystem::path folder_;
  util::Log log_{util::LogLevel::error, util::LogFormat::json};
  std::unique_ptr<SessionStore> store_;
};

TEST_F(SessionStoreTest, ATurnKeepsQuestionAndAnswerEvenOverARestart) {
  const Session session = make();
  {
    const auto turn = begin(session.id);
    ASSERT_TRUE(turn) << turn.error().what;
    EXPECT_EQ((*turn)->ask({said("Hi\n\"ä\"")}).size(), 1U);
    (*turn)->record({0, TextDelta{"why", true, {}, 1}});
    (*turn)->record({0, TextDelta{"Hel", false, {}, 1}});
    (*turn)->record({0, TextDelta{"lo", false, {}, 1}});
    (*turn)->record({0, ToolCallDelta{0, "call_1", "f", "{\"a\""}});
    (*turn)->record({0, ToolCallDelta{0, "", "", ":1}"}});
    ASSERT_TRUE(answer<std::vector<SessionMessage>>([&](auto done) { (*turn)->commit(std::move(done)); }));
  }
  open();
  const auto kept = messages(session.id);
  ASSERT_TRUE(kept) << kept.error().what;
  ASSERT_EQ(kept->size(), 2U);
  EXPECT_EQ((*kept)[0].message.content, "Hi\n\"ä\"");
  EXPECT_EQ((*kept)[1].message.role, "assistant");
  EXPECT_EQ((*kept)[1].message.content, "Hello");
  EXPECT_EQ((*kept)[1].message.reasoning_content, "why");
  ASSERT_EQ((*kept)[1].message.tool_calls.size(), 1U);
  EXPECT_EQ((*kept)[1].message.tool_calls[0].arguments, "{\"a\":1}");
  const auto again = begin(session.id);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->ask({said("more")}).size(), 3U);
}

TEST_F(SessionStoreTest, ADroppedTurnLeavesNoTraceAndASecondOneWaitsItsTurn) {
  const Session session = make();
  auto turn = begin(session.id);
  ASSERT_TRUE(turn);
  (*turn)->ask({said("lost")});
  const auto second = begin(session.id);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "session_busy");
  EXPECT_EQ(append(session.id, {said("x")}).error().reason, "session_busy");
  turn->reset();
  EXPECT_TRUE(begin(session.id));
  EXPECT_TRUE(messages(session.id)->empty());
}

TEST_F(SessionStoreTest, ForksShareWhatWasSaidAndThenPart) {
  const Session session = make();
  const auto kept = append(session.id, {said("a"), said("b")});
  ASSERT_TRUE(kept);
  const auto fork =
      answer<Session>([&](auto done) { store_->fork("", session.id, (*kept)[0].id, "T", std::move(done)); });
  ASSERT_TRUE(fork) << fork.error().what;
  EXPECT_EQ(fork->parent_id, session.id);
  EXPECT_EQ(fork->title, "T");
  EXPECT_EQ(fork->message_count, 1);
  ASSERT_TRUE(append(fork->id, {said("c")}));
  EXPECT_EQ(messages(session.id)->size(), 2U);
  ASSERT_TRUE(answer<std::string>([&](auto done) { store_->remove("", session.id, std::move(done)); }));
  EXPECT_EQ(messages(session.id).error().reason, "session_not_found");
  EXPECT_EQ(messages(fork->id)->size(), 2U) << "a fork lives without its parent";
  const auto nowhere =
      answer<Session>([&](auto done) { store_->fork("", fork->id, "msg_none", {}, std::move(done)); });
  EXPECT_EQ(nowhere.error().field, "at");
}

TEST_F(SessionStoreTest, OwnersSeeOnlyTheirOwn) {
  const Session mine = make("me"), yours = make("you");
  EXPECT_EQ(messages(mine.id, "you").error().reason, "session_not_found");
  const auto page = answer<SessionPage>([&](auto done) { store_->list("me", 10, {}, std::move(done)); });
  ASSERT_TRUE(page);
  ASSERT_EQ(page->sessions.size(), 1U);
  EXPECT_EQ(page->sessions[0].id, mine.id);
}

TEST_F(SessionStoreTest, PagesGoFromTheNewestToTheOldest) {
  const std::string first = make().id, second = make().id, third = make().id;
  const auto page = [&](std::int64_t limit, std::optional<std::string> after) {
    return *answer<SessionPage>([&](auto done) { store_->list("", limit, after, std::move(done)); });
  };
  const SessionPage top = page(2, {});
  EXPECT_TRUE(top.more);
  EXPECT_EQ(top.sessions[0].id, third);
  EXPECT_EQ(top.sessions[1].id, second);
  const SessionPage rest = page(2, second);
  EXPECT_FALSE(rest.more);
  ASSERT_EQ(rest.sessions.size(), 1U);
  EXPECT_EQ(rest.sessions[0].id, first);
}

TEST_F(SessionStoreTest, AFileThatIsNoDatabaseIsToldAndLeftAlone) {
  store_.reset();
  std::filesystem::create_directories(folder_ / "deep");
  std::ofstream(file()) << std::string(5000, 'x');
  open();
  const auto found = answer<Session>([&](auto done) { store_->find("", "sess_1", std::move(done)); });
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().reason, "sessions_unavailable");
  EXPECT_THAT(found.error().what, HasSubstr("sessions.db"));
  EXPECT_EQ(std::filesystem::file_size(file()), 5000U);
}

TEST_F(SessionStoreTest, ASessionDoesNotGrowWithoutEnd) {
  const Session session = make();
  const std::string large(std::size_t{30} << 20, 'x');
  ASSERT_TRUE(append(session.id, {said(large), said(large)}));
  const auto more = append(session.id, {said(large)});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().reason, "session_full");
  EXPECT_EQ(messages(session.id)->size(), 2U) << "nothing of a refused append is kept";
}

TEST_F(SessionStoreTest, ASessionIsFreeWhenItsTurnIsToldToBeKept) {
  const Session session = make();
  const auto turn = *begin(session.id);
  turn->ask({said("Hi")});
  std::promise<bool> free;
  turn->commit([&](const Result<std::vector<SessionMessage>>& kept) {
    EXPECT_TRUE(kept);
    free.set_value(true);
  });
  EXPECT_TRUE(free.get_future().get());
  EXPECT_TRUE(begin(session.id)) << "while the turn itself still exists";
  const auto dropped = *begin(session.id);
  EXPECT_EQ(begin(session.id).error().reason, "session_busy");
  dropped->release();
  EXPECT_TRUE(begin(session.id));
}

TEST_F(SessionStoreTest, ATurnMayOutliveTheStore) {
  const Session session = make();
  const auto kept = *begin(session.id), dropped = *begin(make().id);
  kept->ask({said("Hi")});
  store_.reset();
  const auto outcome = answer<std::vector<SessionMessage>>([&](auto done) { kept->commit(std::move(done)); });
  EXPECT_EQ(outcome.error().reason, "server_stops");
}

}  // namespace
}  // namespace pensieve::server
