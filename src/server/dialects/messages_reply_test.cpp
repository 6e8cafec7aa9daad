// The Messages API over the wire: blocks and events in order, its own shape of errors and of the models.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/server.h"
#include "server/testing/fake_services.h"
#include "server/testing/socket_client.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

using ::testing::HasSubstr;
using testing::post;
using testing::SocketClient;
using testing::WireReply;
using util::Json;

class MessagesServer : public ::testing::Test {
 protected:
  void begin(Options options = {}) {
    options.port = 0;
    auto started = Server::start(options, services_);
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }
  WireReply ask(const std::string& bytes) { return SocketClient(server_->url()).ask(bytes); }
  static Json json(const WireReply& reply) { return util::parse_json(reply.body).value_or(Json()); }

  static constexpr std::string_view kHi = R"({"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]})";
  int null_ = ::open("/dev/null", O_WRONLY);
  util::Log log_{util::LogLevel::off, util::LogFormat::json, null_};
  testing::FakePool pool_;
  manage::Services services_{pool_, log_};
  std::unique_ptr<Server> server_;
};

std::vector<ReplyEvent> thinks_says_and_calls() {
  return {{0, Started{5, 2}},
          {0, TextDelta{"hm", true, {}, 1}},
          {0, TextDelta{"Hello", false, {}, 1}},
          {0, ToolCallDelta{0, "call_1", "ping", "{\"a\""}},
          {0, ToolCallDelta{0, "", "", ":1}"}},
          {0, ToolCallDelta{1, "call_2", "pong", "{}"}},
          {0, Finished{FinishReason::tool_calls, "", Usage{5, 2, 6, 1}, Timings{1, 10, 30}}}};
}

TEST_F(MessagesServer, AnswersWholeInBlocks) {
  begin();
  pool_.model->set_script(thinks_says_and_calls());
  const WireReply reply = ask(post("/v1/messages?beta=true", kHi, "x-request-id: id-7\r\n"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("\r\nrequest-id: id-7\r\n"));
  const Json body = json(reply);
  ASSERT_EQ(body["content"].size(), 4) << reply.body;
  EXPECT_EQ(body["content"][0]["thinking"], "hm");
  EXPECT_NE(body["content"][0]["signature"], "");
  EXPECT_EQ(body["content"][1]["text"], "Hello");
  EXPECT_EQ(body["content"][2]["input"], Json::parse(R"({"a":1})"));
  EXPECT_EQ(body["content"][3]["name"], "pong");
  EXPECT_EQ(body["stop_reason"], "tool_use");
  EXPECT_TRUE(body["stop_sequence"].is_null());
  EXPECT_EQ(body["usage"]["input_tokens"], 3);
  EXPECT_EQ(body["usage"]["cache_read_input_tokens"], 2);
  EXPECT_EQ(body["usage"]["output_tokens"], 6);
  EXPECT_EQ(body["usage"]["output_tokens_details"]["thinking_tokens"], 1);
}

TEST_F(MessagesServer, StreamsOneBlockAfterTheOther) {
  begin();
  pool_.model->set_script(thinks_says_and_calls());
  const WireReply reply = ask(post("/v1/messages", "{\"stream\":true," + std::string(kHi.substr(1))));
  std::vector<std::string> kinds;
  for (std::size_t at = 0; (at = reply.body.find("event: ", at)) != std::string::npos;) {
    at += 7;
    const std::string name = reply.body.substr(at, reply.body.find('\n', at) - at);
    EXPECT_THAT(reply.body.substr(at), ::testing::StartsWith(name + "\ndata: {\"type\":\"" + name + "\""));
    kinds.push_back(name);
  }
  const std::vector<std::string> block{"content_block_start", "content_block_delta", "content_block_stop"};
  std::vector<std::string> expected{"message_start", "ping"};
  for (int i = 0; i < 4; ++i) expected.insert(expected.end(), block.begin(), block.end());
  expected.insert(expected.begin() + 10, "content_block_delta");  // the rest of the first tool's input
  expected.insert(expected.begin() + 4, "content_block_delta");   // the signature of the thinking
  expected.insert(expected.end(), {"message_delta", "message_stop"});
  EXPECT_EQ(kinds, expected) << reply.body;
  EXPECT_THAT(reply.body, HasSubstr(R"("delta":{"type":"input_json_delta","partial_json":":1}"})"));
  EXPECT_THAT(reply.body, HasSubstr(R"("delta":{"type":"signature_delta","signature":")"));
  EXPECT_THAT(reply.body, ::testing::Not(HasSubstr("[DONE]")));
}

TEST_F(MessagesServer, ThinkingMayBeLeftOutOfTheAnswer) {
  begin();
  pool_.model->set_script(thinks_says_and_calls());
  const std::string quiet =
      R"({"thinking":{"type":"adaptive","display":"omitted"},)" + std::string(kHi.substr(1));
  const Json body = json(ask(post("/v1/messages", quiet)));
  EXPECT_EQ(body["content"][0]["thinking"], "");
  EXPECT_NE(body["content"][0]["signature"], "");
  const WireReply stream = ask(post("/v1/messages", "{\"stream\":true," + quiet.substr(1)));
  EXPECT_THAT(stream.body, HasSubstr("signature_delta"));
  EXPECT_THAT(stream.body, ::testing::Not(HasSubstr("thinking_delta")));
}

TEST_F(MessagesServer, ACallThatTheLimitCutHasAnEmptyInput) {
  begin();
  pool_.model->set_script({{0, Started{5, 0}},
                           {0, ToolCallDelta{0, "call_1", "ping", "{\"a\":"}},
                           {0, Finished{FinishReason::length, "", Usage{5, 0, 3, 0}, {}}}});
  const Json body = json(ask(post("/v1/messages", kHi)));
  EXPECT_EQ(body["content"][0]["input"], Json::object());
  EXPECT_EQ(body["stop_reason"], "max_tokens");
}

TEST_F(MessagesServer, AFailureWithinAStreamIsAnEvent) {
  begin();
  pool_.model->set_script({{0, Started{5, 0}},
                           {0, TextDelta{"Hel", false, {}, 1}},
                           {0, Failed{{Error::Code::internal, "broken", {}, {}, {}}}}});
  const WireReply reply = ask(post("/v1/messages", "{\"stream\":true," + std::string(kHi.substr(1))));
  EXPECT_THAT(reply.body,
              HasSubstr("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""));
}

TEST_F(MessagesServer, AStopSequenceIsNamed) {
  begin();
  pool_.model->set_script(
      {{0, Started{5, 0}}, {0, Finished{FinishReason::stop, "END", Usage{5, 0, 1, 0}, {}}}});
  const Json body = json(ask(post("/v1/messages", kHi)));
  EXPECT_EQ(body["stop_reason"], "stop_sequence");
  EXPECT_EQ(body["stop_sequence"], "END");
}

TEST_F(MessagesServer, CountsAndListsInItsForm) {
  begin();
  EXPECT_EQ(json(ask(post("/v1/messages/count_tokens",
                          R"({"system":"a","messages":[{"role":"user","content":"Hi"}]})")))["input_tokens"],
            2);
  const Json models = json(ask(testing::get("/v1/models", "anthropic-version: 2023-06-01\r\n")));
  EXPECT_EQ(models["data"][0]["type"], "model");
  EXPECT_EQ(models["first_id"], "fake/model:1");
  EXPECT_EQ(models["data"][0]["created_at"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(models["data"][0]["max_input_tokens"], 64);
  const std::string version = "anthropic-version: 2023-06-01\r\n";
  const Json rest = json(ask(testing::get("/v1/models?limit=5&after_id=fake/model:1", version)));
  EXPECT_TRUE(rest["data"].empty() && rest["first_id"].is_null() && rest["has_more"] == false);
  EXPECT_EQ(ask(testing::get("/v1/models?limit=0", version)).status, 400);
  EXPECT_EQ(json(ask(testing::get("/v1/models/fake/model:1", version)))["type"], "model");
  EXPECT_EQ(json(ask(testing::get("/v1/models/none", version)))["error"]["type"], "not_found_error");
}

TEST_F(MessagesServer, ErrorsHaveItsShape) {
  Options options;
  options.api_key = {"sk-1"};
  begin(options);
  const Json refused = json(ask(post("/v1/messages", kHi)));
  EXPECT_EQ(refused["error"]["type"], "authentication_error");
  const std::string key = "x-api-key: sk-1\r\n";
  const WireReply wrong = ask(post("/v1/messages", "{}", key));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(json(wrong)["type"], "error");
  EXPECT_EQ(json(wrong)["error"]["type"], "invalid_request_error");
  EXPECT_FALSE(json(wrong)["request_id"].is_null());
  EXPECT_EQ(json(ask(post("/v1/messages", "{\"model\":\"none\"," + std::string(kHi.substr(1)),
                          key)))["error"]["type"],
            "not_found_error");
  Error too_long{Error::Code::exhausted,
                 "too long",
                 "messages",
                 "context_length_exceeded",
                 {{"n_prompt_tokens", 99}, {"n_ctx", 64}}};
  pool_.model->set_script({{0, Failed{too_long}}});
  const WireReply overflow = ask(post("/v1/messages", kHi, key));
  EXPECT_EQ(overflow.status, 400);
  EXPECT_EQ(json(overflow)["error"]["message"], "prompt is too long: 99 tokens > 64 maximum");
  pool_.model->set_script({{0, Failed{{Error::Code::unavailable, "later", {}, {}, {}}}}});
  const WireReply later = ask(post("/v1/messages", kHi, key));
  EXPECT_EQ(later.status, 529);
  EXPECT_TRUE(later.has("retry-after: "));
  EXPECT_EQ(json(later)["error"]["type"], "overloaded_error");
  options.max_body_bytes = 1024;
  server_->configure(options);
  const WireReply large = ask(post("/v1/messages", std::string(2000, ' '), key));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(json(large)["error"]["type"], "request_too_large");
}

}  // namespace
}  // namespace pensieve::server
