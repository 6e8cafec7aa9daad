// Kept responses: over a restart, apart between owners, within their limits, in the file of the sessions.
#include "server/sessions/response_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "server/sessions/session_database.h"

namespace pensieve::server {
namespace {

class ResponseDatabaseTest : public testing::Test {
 protected:
  ResponseDatabaseTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pensieve-responses-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~ResponseDatabaseTest() override { std::filesystem::remove_all(folder_); }
  std::string file() const { return (folder_ / "sessions.db").string(); }
  ResponseDatabase open(ResponseLimits limits = {}) {
    return std::move(*ResponseDatabase::open(file(), limits));
  }
  static StoredResponse response(std::string id, std::string owner = "", std::int64_t created_at = 1000) {
    return {std::move(id), std::move(owner), created_at, R"({"output":[]})", "[]"};
  }
  std::filesystem::path folder_;
};

TEST_F(ResponseDatabaseTest, KeptOverARestartBesideTheSessions) {
  ASSERT_TRUE(open().keep(response("resp_1"), {{"msg_1", R"({"id":"msg_1"})"}}));
  ASSERT_TRUE(SessionDatabase::open(file())) << "both live in one file";
  auto again = open();
  EXPECT_EQ(again.find("", "resp_1")->body, R"({"output":[]})");
  EXPECT_EQ(again.item("", "msg_1").value(), R"({"id":"msg_1"})");
  ASSERT_TRUE(again.remove("", "resp_1"));
  EXPECT_EQ(again.find("", "resp_1").error().reason, "response_not_found");
  EXPECT_EQ(again.item("", "msg_1").error().reason, "item_not_found") << "items go with their response";
}

TEST_F(ResponseDatabaseTest, OwnersDoNotSeeOneAnother) {
  auto database = open();
  ASSERT_TRUE(database.keep(response("resp_1", "a"), {{"msg_1", "{}"}}));
  EXPECT_FALSE(database.find("b", "resp_1"));
  EXPECT_FALSE(database.remove("b", "resp_1"));
  EXPECT_FALSE(database.item("b", "msg_1"));
  EXPECT_TRUE(database.find("a", "resp_1"));
}

TEST_F(ResponseDatabaseTest, TheOldestMakeRoomForEachOwner) {
  const auto size = static_cast<std::int64_t>(response("").body.size() + response("").input.size());
  auto database = open({.count = 100, .bytes = 3 * size, .seconds = 500});
  ASSERT_TRUE(database.keep(response("other", "b"), {}));
  for (const char* id : {"r1", "r2", "r3", "r4"}) ASSERT_TRUE(database.keep(response(id, "a"), {}));
  EXPECT_FALSE(database.find("a", "r1"));
  EXPECT_TRUE(database.find("a", "r2"));
  EXPECT_TRUE(database.find("b", "other"));
  ASSERT_TRUE(database.keep(response("r5", "a", 2000), {}));
  EXPECT_FALSE(database.find("a", "r4")) << "too long ago";
  StoredResponse large = response("r6", "a", 2000);
  large.input = std::string(200, ' ');
  EXPECT_EQ(database.keep(large, {}).error().reason, "response_too_large");
  EXPECT_TRUE(database.find("a", "r5")) << "what cannot be kept displaces nothing";
}

}  // namespace
}  // namespace pensieve::server
