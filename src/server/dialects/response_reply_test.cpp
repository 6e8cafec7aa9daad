// The Responses API over a real socket with a scripted model: events in order, documents, what is kept.
#include "server/dialects/response_reply.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/server.h"
#include "server/testing/fake_services.h"
#include "server/testing/socket_client.h"

namespace pensieve::server {
namespace {

using testing::get;
using ::testing::HasSubstr;
using testing::post;
using testing::SocketClient;
using testing::WireReply;

constexpr std::string_view kPath = "/v1/responses";

class ResponsesServer : public ::testing::Test {
 protected:
  ResponsesServer() {
    Options options;
    options.port = 0;
    options.session_file = ":memory:";
    options.response_count = 3;
    server_ = std::move(*Server::start(options, services_));
  }
  WireReply ask(const std::string& bytes) { return SocketClient(server_->url()).ask(bytes); }
  static Json json(const WireReply& reply) { return util::parse_json(reply.body).value_or(Json()); }
  Json create(const std::string& fields) { return json(ask(post(kPath, "{" + fields + "}"))); }
  WireReply erase(const std::string& id) {
    return ask("DELETE /v1/responses/" + id + " HTTP/1.1\r\nhost: localhost\r\n\r\n");
  }
  // The events of a stream; each is named as its type says.
  std::vector<Json> stream(const std::string& fields) {
    const WireReply reply = ask(post(kPath, R"({"stream":true,)" + fields + "}"));
    std::vector<Json> events;
    std::string_view rest = reply.body;
    while (!rest.empty()) {
      const std::size_t end = rest.find("\n\n");
      const std::string_view event = rest.substr(0, end);
      const std::size_t data = event.find("\ndata: ");
      if (end == std::string_view::npos || data == std::string_view::npos) {
        ADD_FAILURE() << rest;
        break;
      }
      events.push_back(util::parse_json(event.substr(data + 7)).value_or(Json()));
      EXPECT_EQ(event.substr(0, data), "event: " + events.back()["type"].get<std::string>());
      EXPECT_EQ(events.back()["sequence_number"], events.size() - 1);
      rest.remove_prefix(end + 2);
    }
    return events;
  }
  static std::string types(const std::vector<Json>& events) {
    std::string all;
    for (const Json& event : events) all += event["type"].get<std::string>() + "\n";
    return all;
  }
  std::vector<ReplyEvent> thinking_and_calls() const {
    return {{0, Started{5, 2}},
            {0, TextDelta{"hm", true, {}, 1}},
            {0, TextDelta{"Look", false, {}, 1}},
            {0, TextDelta{"ing.", false, {}, 1}},
            {0, ToolCallDelta{0, "call_1", "add", {}}},
            {0, ToolCallDelta{0, {}, {}, "{\"a\":1}"}},
            {0, ToolCallDelta{1, "call_2", "now", "{}"}},
            {0, Finished{FinishReason::tool_calls, "", Usage{5, 2, 9, 1}, {}}}};
  }

  int null_ = ::open("/dev/null", O_WRONLY);
  util::Log log_{util::LogLevel::debug, util::LogFormat::json, null_};
  testing::FakePool pool_;
  manage::Services services_{pool_, log_};
  std::unique_ptr<Server> server_;
};

TEST_F(ResponsesServer, AnswersWholeAndRepeatsItsSettings) {
  pool_.model->set_script(thinking_and_calls());
  const Json body =
      create(R"("input":"Hi","instructions":"Be brief.","temperature":0.25,"metadata":{"k":"v"})");
  EXPECT_TRUE(body["id"].get<std::string>().starts_with("resp_")) << body.dump();
  EXPECT_EQ(body["object"], "response");
  EXPECT_EQ(body["status"], "completed");
  EXPECT_TRUE(body["completed_at"].is_number_integer());
  EXPECT_TRUE(body["error"].is_null() && body["incomplete_details"].is_null());
  EXPECT_EQ(body["model"], "fake/model:1");
  EXPECT_EQ(body["temperature"], 0.25);
  EXPECT_EQ(body["instructions"], "Be brief.");
  EXPECT_EQ(body["metadata"]["k"], "v");
  EXPECT_EQ(body["text"]["format"]["type"], "text");
  EXPECT_EQ(body["store"], true);
  ASSERT_EQ(body["output"].size(), 4U);
  EXPECT_EQ(body["output"][0]["content"][0]["text"], "hm");
  EXPECT_EQ(body["output"][1]["content"][0]["text"], "Looking.");
  EXPECT_EQ(body["output"][1]["status"], "completed");
  EXPECT_EQ(body["output"][2]["call_id"], "call_1");
  EXPECT_NE(body["output"][2]["id"], "call_1");
  EXPECT_EQ(body["output"][2]["arguments"], "{\"a\":1}");
  EXPECT_EQ(body["output"][3]["name"], "now");
  EXPECT_EQ(body["usage"]["input_tokens"], 5);
  EXPECT_EQ(body["usage"]["input_tokens_details"]["cached_tokens"], 2);
  EXPECT_EQ(body["usage"]["input_tokens_details"]["cache_write_tokens"], 3);
  EXPECT_EQ(body["usage"]["output_tokens_details"]["reasoning_tokens"], 1);
  EXPECT_EQ(body["usage"]["total_tokens"], 14);
}

TEST_F(ResponsesServer, StreamsEveryItemFromItsOpeningToItsEnd) {
  pool_.model->set_script(thinking_and_calls());
  const auto events = stream(R"("input":"Hi")");
  EXPECT_EQ(types(events),
            "response.created\nresponse.in_progress\n"
            "response.output_item.added\nresponse.reasoning_text.delta\nresponse.reasoning_text.done\n"
            "response.output_item.done\n"
            "response.output_item.added\nresponse.content_part.added\nresponse.output_text.delta\n"
            "response.output_text.delta\nresponse.output_text.done\nresponse.content_part.done\n"
            "response.output_item.done\n"
            "response.output_item.added\nresponse.function_call_arguments.delta\n"
            "response.function_call_arguments.done\nresponse.output_item.done\n"
            "response.output_item.added\nresponse.function_call_arguments.delta\n"
            "response.function_call_arguments.done\nresponse.output_item.done\n"
            "response.completed\n");
  ASSERT_EQ(events.size(), 22U);
  EXPECT_EQ(events[0]["response"]["status"], "in_progress");
  EXPECT_TRUE(events[0]["response"]["output"].empty() && events[0]["response"]["usage"].is_null());
  EXPECT_EQ(events[6]["output_index"], 1);
  EXPECT_EQ(events[6]["item"]["status"], "in_progress");
  EXPECT_TRUE(events[6]["item"]["content"].empty());
  EXPECT_EQ(events[8]["item_id"], events[6]["item"]["id"]);
  EXPECT_EQ(events[8]["content_index"], 0);
  EXPECT_EQ(events[8]["delta"], "Look");
  EXPECT_EQ(events[10]["text"], "Looking.");
  EXPECT_EQ(events[13]["item"]["arguments"], "");
  EXPECT_EQ(events[15]["name"], "add");
  EXPECT_EQ(events[15]["arguments"], "{\"a\":1}");
  const Json& last = events.back()["response"];
  ASSERT_EQ(last["output"].size(), 4U);
  EXPECT_EQ(last["output"][0], events[5]["item"]);
  EXPECT_EQ(last["output"][3], events[20]["item"]);
  EXPECT_EQ(json(ask(get("/v1/responses/" + last["id"].get<std::string>()))), last)
      << "what was streamed is what was kept";
}

TEST_F(ResponsesServer, ReasoningComesAsSummaryAndWrappedWhenAskedFor) {
  pool_.model->set_script(thinking_and_calls());
  const auto events =
      stream(R"("input":"Hi","reasoning":{"summary":"auto"},"include":["reasoning.encrypted_content"])");
  EXPECT_THAT(types(events),
              HasSubstr("response.output_item.added\nresponse.reasoning_summary_part.added\n"
                        "response.reasoning_summary_text.delta\nresponse.reasoning_summary_text.done\n"
                        "response.reasoning_summary_part.done\nresponse.output_item.done\n"));
  EXPECT_EQ(events[4]["summary_index"], 0);
  const Json item = events.back()["response"]["output"][0];
  EXPECT_EQ(item["summary"][0]["text"], "hm");
  EXPECT_FALSE(item["encrypted_content"].get<std::string>().empty());
}

TEST_F(ResponsesServer, ACutAnswerIsIncompleteAndAnEmptyOneAMessage) {
  pool_.model->set_script(testing::hello());
  const Json cut = create(R"("input":"Hi")");
  EXPECT_EQ(cut["status"], "incomplete");
  EXPECT_EQ(cut["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(cut["output"][0]["status"], "incomplete");
  EXPECT_EQ(stream(R"("input":"Hi")").back()["type"], "response.incomplete");
  pool_.model->set_script({{0, Started{5, 0}}, {0, Finished{FinishReason::stop, "", Usage{5, 0, 1, 0}, {}}}});
  EXPECT_EQ(create(R"("input":"Hi")")["output"][0]["content"][0]["text"], "");
  EXPECT_THAT(types(stream(R"("input":"Hi")")), HasSubstr("response.output_text.done"));
}

TEST_F(ResponsesServer, AFailureAfterTheStartEndsTheStream) {
  pool_.model->set_script({{0, Started{5, 0}},
                           {0, TextDelta{"He", false, {}, 1}},
                           {0, Failed{{Error::Code::internal, "it broke", {}, {}, {}}}}});
  const auto events = stream(R"("input":"Hi")");
  ASSERT_GE(events.size(), 4U);
  const Json& error = events[events.size() - 2];
  EXPECT_EQ(error["type"], "error");
  EXPECT_EQ(error["message"], "it broke");
  EXPECT_EQ(error["code"], "server_error");
  EXPECT_TRUE(error["param"].is_null());
  EXPECT_EQ(events.back()["type"], "response.failed");
  EXPECT_EQ(events.back()["response"]["status"], "failed");
  EXPECT_EQ(events.back()["response"]["error"]["code"], "server_error");
  const std::string id = events.back()["response"]["id"];
  EXPECT_EQ(ask(get("/v1/responses/" + id)).status, 404) << "a failure is not kept";
}

TEST_F(ResponsesServer, AConversationGoesOnFromWhatWasKept) {
  pool_.model->set_script(thinking_and_calls());
  const Json first = create(R"("input":"Hi","instructions":"Be brief.")");
  const std::string id = first["id"];
  const std::string rest = R"("previous_response_id":")" + id +
                           R"(","input":[{"type":"function_call_output","call_id":"call_1","output":"2"}])";
  const Json second = create(rest);
  EXPECT_EQ(second["previous_response_id"], id) << second.dump();
  const auto messages = std::get<ChatRequest>(pool_.model->wait_for_request(1).prompt).messages;
  ASSERT_EQ(messages.size(), 3U) << "instructions are not carried on";
  EXPECT_EQ(messages[0].content, "Hi");
  EXPECT_EQ(messages[1].content, "Looking.");
  EXPECT_EQ(messages[1].reasoning_content, "hm");
  EXPECT_EQ(messages[1].tool_calls.size(), 2U);
  EXPECT_EQ(messages[2].tool_call_id, "call_1");
  EXPECT_EQ(json(ask(post("/v1/responses/input_tokens", "{" + rest + "}")))["input_tokens"], 3)
      << "the scripted model counts messages";

  EXPECT_EQ(json(erase(id))["deleted"], true);
  EXPECT_EQ(erase(id).status, 404);
  EXPECT_EQ(json(ask(post(kPath, "{" + rest + "}")))["error"]["code"], "previous_response_not_found");
  const Json items =
      json(ask(get("/v1/responses/" + second["id"].get<std::string>() + "/input_items?order=asc&limit=100")));
  ASSERT_EQ(items["data"].size(), 6U) << "an answer outlives the one it went on from";
  EXPECT_EQ(items["data"][0]["content"][0]["text"], "Hi");
  EXPECT_EQ(items["first_id"], items["data"][0]["id"]);
}

TEST_F(ResponsesServer, ItemsCanBeReferredTo) {
  pool_.model->set_script(thinking_and_calls());
  const Json first = create(R"("input":"Hi")");
  const std::string message = first["output"][1]["id"];
  const std::string fields =
      R"("input":[{"type":"item_reference","id":")" + message + R"("},{"role":"user","content":"Go on"}])";
  EXPECT_EQ(create(fields)["status"], "completed");
  const auto messages = std::get<ChatRequest>(pool_.model->wait_for_request(1).prompt).messages;
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].content, "Looking.");
  const WireReply unknown = ask(post(kPath, R"({"input":[{"type":"item_reference","id":"msg_none"}]})"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(json(unknown)["error"]["param"], "input");
}

TEST_F(ResponsesServer, WhatIsNotToBeKeptIsNotAndTheOldestMakesRoom) {
  pool_.model->set_script(testing::hello());
  const Json secret = create(R"("input":"Hi","store":false)");
  EXPECT_EQ(secret["store"], false);
  const auto status = [&](const Json& body) {
    return ask(get("/v1/responses/" + body["id"].get<std::string>())).status;
  };
  EXPECT_EQ(status(secret), 404);
  std::vector<Json> kept;
  for (int i = 0; i < 4; ++i) kept.push_back(create(R"("input":"Hi")"));
  EXPECT_EQ(status(kept[0]), 404) << "three are kept";
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(status(kept[i]), 200);
  EXPECT_EQ(ask(get("/v1/responses/" + kept[3]["id"].get<std::string>() + "?stream=true")).status, 400);
}

}  // namespace
}  // namespace pensieve::server
