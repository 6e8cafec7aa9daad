// What Ollama's clients may send, and what they get back over a socket.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/dialects/ollama_reply.h"
#include "server/dialects/ollama_request.h"
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

Result<OllamaCall> generate(const std::string& fields) {
  const auto body = parse_body(R"({"model":"m","prompt":"Hi",)" + fields + "}");
  return body ? read_ollama_generate(*body) : Result<OllamaCall>(tl::unexpect, body.error());
}
Result<OllamaCall> chat(const std::string& fields) {
  const auto body = parse_body(R"({"model":"m",)" + fields + "}");
  return body ? read_ollama_chat(*body) : Result<OllamaCall>(tl::unexpect, body.error());
}

TEST(OllamaRequest, WrongFieldsAreNamed) {
  for (const char* bad :
       {R"("options":{"temperature":"hot"})", R"("options":{"num_predict":"many"})",
        R"("options":{"num_predict":0})", R"("options":{"stop":5})", R"("options":{"top_k":[]})",
        R"("options":{"mirostat":2})", R"("format":"yaml")", R"("format":5)", R"("think":"hard")",
        R"("keep_alive":"soon")", R"("keep_alive":[])", R"("suffix":"x")", R"("template":"x")",
        R"("context":[1])", R"("images":["x"])", R"("stream":"no")", R"("top_logprobs":99)"}) {
    const auto refused = generate(bad);
    ASSERT_FALSE(refused) << bad;
    const std::string& field = refused.error().field;
    const std::string last = field.substr(field.rfind('.') + 1);
    EXPECT_NE(std::string(bad).find('"' + last + '"'), std::string::npos) << bad << ": " << field;
  }
  for (const char* bad :
       {R"("messages":5)", R"("messages":[5])", R"("messages":[{"role":"wizard","content":"x"}])",
        R"("messages":[{"role":"user","content":5}])", R"("messages":[{"role":"user","images":["x"]}])",
        R"("messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}])",
        R"("tools":[{"type":"function"}])"}) {
    EXPECT_FALSE(chat(bad)) << bad;
  }
  EXPECT_EQ(read_ollama_generate(*parse_body(R"({"prompt":"x"})")).error().field, "model");
}

TEST(OllamaRequest, EveryFieldActs) {
  auto asked = generate(
      R"("system":"S","stream":false,"keep_alive":"1h30m","format":{"type":"object"},"logprobs":true,"top_logprobs":2,
      "options":{"num_predict":7,"num_ctx":32,"seed":5,"temperature":0,"top_k":3,"stop":["a"],"num_gpu":1})");
  ASSERT_TRUE(asked) << asked.error().what;
  const GenerationRequest& generation = asked->call.generation;
  EXPECT_EQ(asked->call.keep_alive, std::chrono::seconds(5400));
  EXPECT_EQ(asked->context, 32);
  EXPECT_FALSE(asked->call.stream || asked->load_only);
  EXPECT_EQ(generation.max_tokens, 7);
  EXPECT_EQ(generation.top_logprobs, 2);
  EXPECT_EQ(generation.stop, std::vector<std::string>{"a"});
  EXPECT_EQ(generation.constraint->source, R"({"type":"object"})");
  EXPECT_EQ(generation.sampling.seed, 5U);
  EXPECT_EQ(asked->call.changes.size(), 2U);
  EXPECT_EQ(asked->call.unknown, std::vector<std::string>{"options.num_gpu"});
  const auto& messages = std::get<ChatRequest>(generation.prompt).messages;
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(std::get<std::string>(generate(R"("raw":true)")->call.generation.prompt), "Hi");
  EXPECT_TRUE(generate(R"("x":1)")->call.stream) << "streaming is the default";
  EXPECT_EQ(generate(R"("keep_alive":-1)")->call.keep_alive, std::chrono::seconds(-1));
  EXPECT_EQ(generate(R"("keep_alive":"0")")->call.keep_alive, std::chrono::seconds(0));
  EXPECT_EQ(generate(R"("keep_alive":1e300)")->call.keep_alive, std::chrono::seconds(1'000'000'000));
}

TEST(OllamaRequest, HistoryOfToolsArrives) {
  const auto asked = chat(
      R"("messages":[{"role":"user","content":"Go"},{"role":"assistant","content":"","thinking":"hm",
      "tool_calls":[{"function":{"name":"f","arguments":{"b":1,"a":2}}}]},{"role":"tool","tool_name":"f","content":"7"}],
      "tools":[{"type":"function","function":{"name":"f"}}])");
  ASSERT_TRUE(asked) << asked.error().what;
  const auto& request = std::get<ChatRequest>(asked->call.generation.prompt);
  EXPECT_FALSE(request.messages[1].content);
  EXPECT_EQ(request.messages[1].reasoning_content, "hm");
  EXPECT_EQ(request.messages[1].tool_calls[0].arguments, R"({"b":1,"a":2})");
  EXPECT_EQ(request.messages[2].name, "f");
  EXPECT_EQ(request.tools.size(), 1U);
  EXPECT_TRUE(chat(R"("messages":[])")->load_only);
}

class OllamaServer : public ::testing::Test {
 protected:
  OllamaServer() {
    Options options;
    options.port = 0;
    auto started = Server::start(options, services_);
    if (started) server_ = std::move(*started);
  }
  WireReply ask(const std::string& bytes) { return SocketClient(server_->url()).ask(bytes); }
  static Json json(const WireReply& reply) { return util::parse_json(reply.body).value_or(Json()); }

  int null_ = ::open("/dev/null", O_WRONLY);
  util::Log log_{util::LogLevel::debug, util::LogFormat::json, null_};
  testing::FakePool pool_;
  manage::Services services_{pool_, log_};
  std::unique_ptr<Server> server_;
};

TEST_F(OllamaServer, StreamsLinesByDefault) {
  pool_.model->set_script(testing::hello());
  const WireReply reply = ask(post("/api/generate", R"({"model":"fake/model:1","prompt":"Hi"})"));
  EXPECT_TRUE(reply.has("content-type: application/x-ndjson\r\n"));
  std::vector<Json> lines;
  std::string_view rest = reply.body;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    ASSERT_NE(end, std::string_view::npos) << rest;
    lines.push_back(util::parse_json(rest.substr(0, end)).value_or(Json()));
    rest.remove_prefix(end + 1);
  }
  ASSERT_EQ(lines.size(), 3U) << reply.body;
  EXPECT_EQ(lines[0]["response"], "Hello ");
  EXPECT_EQ(lines[0]["done"], false);
  EXPECT_EQ(lines[2]["done_reason"], "length");
  EXPECT_EQ(lines[2]["prompt_eval_count"], 5) << "the whole prompt, cached or not";
  EXPECT_EQ(lines[2]["eval_duration"], 30'000'000);
  EXPECT_GE(lines[2]["total_duration"].get<std::int64_t>(), lines[2]["load_duration"].get<std::int64_t>());
}

TEST_F(OllamaServer, AnswersWholeWithCallsAsObjects) {
  pool_.model->set_script({{0, Started{5, 0}},
                           {0, TextDelta{"hm", true, {}, 1}},
                           {0, ToolCallDelta{0, "call_1", "add", {}}},
                           {0, ToolCallDelta{0, {}, {}, "{\"a\":1}"}},
                           {0, ToolCallDelta{1, "call_2", "now", "{}"}},
                           {0, Finished{FinishReason::tool_calls, "", Usage{5, 0, 9, 0}, {}}}});
  const std::string body = R"({"model":"fake/model:1:latest","messages":[{"role":"user","content":"Hi"}])";
  const Json whole = json(ask(post("/api/chat", body + R"(,"stream":false})")));
  EXPECT_EQ(whole["message"]["thinking"], "hm");
  EXPECT_EQ(whole["message"]["tool_calls"][0]["function"]["arguments"]["a"], 1);
  EXPECT_EQ(whole["message"]["tool_calls"][1]["function"]["name"], "now");
  EXPECT_EQ(whole["done_reason"], "stop");
  EXPECT_EQ(whole["model"], "fake/model:1");
  const std::string stream = ask(post("/api/chat", body + "}")).body;
  EXPECT_THAT(stream,
              HasSubstr(R"("function":{"index":0,"name":"add","arguments":{"a":1}}}]},"done":false})"));
  EXPECT_THAT(stream, HasSubstr(R"({"index":1,"name":"now","arguments":{}}}]},"done":false})"));
}

TEST_F(OllamaServer, LoadsUnloadsAndKeepsAlive) {
  EXPECT_EQ(json(ask(post("/api/generate", R"({"model":"fake/model:1"})")))["done_reason"], "load");
  EXPECT_EQ(json(ask(post("/api/chat", R"({"model":"fake/model:1","keep_alive":60})")))["done_reason"],
            "load");
  EXPECT_EQ(json(ask(post("/api/generate", R"({"model":"fake/model:1","keep_alive":0})")))["done_reason"],
            "unload");
  EXPECT_EQ(pool_.unloaded(), std::vector<std::string>{"fake/model:1"});
  ASSERT_EQ(pool_.kept_alive().size(), 1U);
  EXPECT_EQ(pool_.kept_alive()[0].second, std::chrono::seconds(60));
  EXPECT_EQ(pool_.model->submitted(), 0U);
}

TEST_F(OllamaServer, ErrorsAreOneText) {
  for (const char* path : {"/api/generate", "/api/chat", "/api/show", "/api/embed"}) {
    const WireReply reply = ask(post(
        path, R"({"model":"none","prompt":"x","messages":[{"role":"user","content":"x"}],"input":"x"})"));
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_THAT(json(reply)["error"].get<std::string>(), HasSubstr("none"));
  }
  EXPECT_TRUE(json(ask(get("/api/nothing")))["error"].is_string());
  EXPECT_EQ(ask(post("/api/generate", "{")).status, 400);
  EXPECT_EQ(ask(post("/api/generate", R"({"model":"fake/model:1","prompt":"x","think":true})")).status, 400);
  const WireReply small = ask(
      post("/api/chat",
           R"({"model":"fake/model:1","messages":[{"role":"user","content":"x"}],"options":{"num_ctx":1}})"));
  EXPECT_EQ(small.status, 400);
  EXPECT_THAT(json(small)["error"].get<std::string>(), HasSubstr("num_ctx"));
}

TEST_F(OllamaServer, ShowsItsModels) {
  EXPECT_EQ(ask(get("/")).body, "Ollama is running");
  EXPECT_THAT(ask(get("/", "accept: text/html,*/*\r\n")).body, HasSubstr("<html"));
  EXPECT_THAT(json(ask(get("/api/version")))["version"].get<std::string>(),
              ::testing::MatchesRegex("[0-9]+\\..*"));
  const Json tag = json(ask(get("/api/tags")))["models"][0];
  EXPECT_EQ(tag["name"], "fake/model:1");
  EXPECT_EQ(tag["digest"].get<std::string>().size(), 64U);
  EXPECT_EQ(tag["details"]["parameter_size"], "1.0K");
  const Json loaded = json(ask(get("/api/ps")))["models"][0];
  EXPECT_EQ(loaded["context_length"], 64);
  EXPECT_EQ(loaded["expires_at"], "2261-12-31T23:59:59.000000000Z")
      << "never, in words that clients can read";
  EXPECT_EQ(json(ask(post("/api/show", R"({"name":"fake/model:1"})")))["capabilities"][0], "completion");
  EXPECT_EQ(
      json(ask(post("/api/embed", R"({"model":"fake/model:1","input":["a","b"]})")))["embeddings"].size(),
      2U);
  EXPECT_EQ(
      json(ask(post("/api/embeddings", R"({"model":"fake/model:1","prompt":"a"})")))["embedding"].size(), 2U);
  EXPECT_EQ(ask(post("/api/embed", R"({"model":"fake/model:1","input":"a","dimensions":3})")).status, 400);
}

}  // namespace
}  // namespace pensieve::server
