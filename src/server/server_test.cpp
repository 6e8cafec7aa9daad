// The server over real sockets with a scripted model: what a client sees of streams, errors, limits,
// cancelling, draining.
#include "server/server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>

#include "server/endpoint.h"
#include "server/testing/fake_services.h"
#include "server/testing/socket_client.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

using testing::get;
using ::testing::HasSubstr;
using testing::post;
using testing::SocketClient;
using testing::WireReply;
using util::Json;

constexpr std::string_view kChat = "/v1/chat/completions";
constexpr std::string_view kHi = R"({"messages":[{"role":"user","content":"Hi"}]})";
constexpr std::string_view kHiStream = R"({"stream":true,"messages":[{"role":"user","content":"Hi"}]})";

class ServerTest : public ::testing::Test {
 protected:
  void begin(Options options = {}) {
    options.port = 0;
    auto started = Server::start(options, services_);
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }
  std::string url() const { return server_->url(); }
  testing::FakeInference& model() { return *pool_.model; }
  WireReply ask(const std::string& bytes) { return SocketClient(url()).ask(bytes); }
  static Json json(const WireReply& reply) { return util::parse_json(reply.body).value_or(Json()); }
  static Json error(const WireReply& reply) { return json(reply).value("error", Json::object()); }

  int null_ = ::open("/dev/null", O_WRONLY);
  util::Log log_{util::LogLevel::debug, util::LogFormat::json, null_};
  testing::FakePool pool_;
  manage::Services services_{pool_, log_};
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAChatWhole) {
  begin();
  model().set_script(testing::hello());
  const WireReply reply = ask(post(kChat, kHi, "x-request-id: my-id-42\r\n"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("content-type: application/json\r\n"));
  EXPECT_TRUE(reply.has("x-request-id: my-id-42\r\n"));
  const Json body = json(reply);
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["model"], "fake/model:1");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "Hello wörld");
  EXPECT_TRUE(body["choices"][0]["message"]["refusal"].is_null());
  EXPECT_TRUE(body["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["total_tokens"], 8);
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
  EXPECT_EQ(body["timings"]["predicted_per_second"], 100.0);
  EXPECT_EQ(body["timings"]["prompt_n"], 3);
  EXPECT_EQ(model().wait_for_request().request_id, "my-id-42");
  EXPECT_FLOAT_EQ(model().wait_for_request().sampling.temperature, 0.6F) << "the model's own default";
}

TEST_F(ServerTest, StreamsAChatAndServesTheNextRequest) {
  begin();
  model().set_script(testing::hello());
  SocketClient client(url());
  for (int round = 0; round < 2; ++round) {
    const WireReply reply = client.ask(post(kChat, kHiStream));
    EXPECT_TRUE(reply.has("content-type: text/event-stream\r\n"));
    EXPECT_TRUE(reply.has("cache-control: no-cache\r\n"));
    EXPECT_TRUE(reply.has("x-accel-buffering: no\r\n"));
    EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n")) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(R"("delta":{"role":"assistant","content":""})"));
    EXPECT_THAT(reply.body,
                HasSubstr(R"("delta":{"content":"Hello "},"logprobs":null,"finish_reason":null}]})"));
    EXPECT_THAT(reply.body, HasSubstr(R"("delta":{},"logprobs":null,"finish_reason":"length"}])"));
    EXPECT_THAT(reply.body, ::testing::Not(HasSubstr("\"usage\"")));
  }
  EXPECT_EQ(client.ask(get("/livez")).status, 200);
}

TEST_F(ServerTest, ToolCallsArriveWholeAndInPieces) {
  begin();
  model().set_script({{0, Started{5, 0}},
                      {0, ToolCallDelta{0, "call_1", "add", {}}},
                      {0, ToolCallDelta{0, {}, {}, "{\"a\""}},
                      {0, ToolCallDelta{0, {}, {}, ":1}"}},
                      {0, ToolCallDelta{1, "call_2", "now", "{}"}},
                      {0, Finished{FinishReason::tool_calls, "", Usage{5, 0, 9, 0}, {}}}});
  const Json choice = json(ask(post(kChat, kHi)))["choices"][0];
  EXPECT_TRUE(choice["message"]["content"].is_null());
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_EQ(
      util::to_json(choice["message"]["tool_calls"]),
      R"([{"id":"call_1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}},{"id":"call_2","type":"function","function":{"name":"now","arguments":"{}"}}])");
  const std::string stream = ask(post(kChat, kHiStream)).body;
  for (
      const char* piece :
      {R"("delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"add","arguments":""}}]})",
       R"("delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]})",
       R"("delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]})",
       R"("finish_reason":"tool_calls")"}) {
    EXPECT_THAT(stream, HasSubstr(piece));
  }
}

TEST_F(ServerTest, UsageChunkComesOnlyWhenAsked) {
  begin();
  model().set_script(testing::hello());
  const WireReply reply = ask(post(
      kChat,
      R"({"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]})"));
  EXPECT_THAT(reply.body,
              HasSubstr(R"("choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8)"));
  EXPECT_THAT(reply.body, HasSubstr(R"("finish_reason":null}],"usage":null})"));
}

TEST_F(ServerTest, FieldsWithoutEffectAreListedInAHeader) {
  begin();
  model().set_script(testing::hello());
  for (const char* stream : {"false", "true"}) {
    const WireReply reply =
        ask(post(kChat, R"({"user":"u","store":true,"messages":[{"role":"user","content":"Hi"}],"stream":)" +
                            std::string(stream) + "}"));
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.has("x-pensieve-ignored-fields: user, store\r\n"));
  }
  EXPECT_FALSE(ask(post(kChat, kHi)).has("x-pensieve-ignored-fields"));
}

TEST_F(ServerTest, TimingsPerTokenComeWithEveryText) {
  begin();
  model().set_script(testing::hello());
  const std::string stream =
      ask(post(kChat,
               R"({"stream":true,"timings_per_token":true,"messages":[{"role":"user","content":"Hi"}]})"))
          .body;
  std::size_t with = 0, texts = 0;
  for (std::size_t at = 0; (at = stream.find("\"content\":\"", at)) != std::string::npos; ++at) {
    const std::string chunk = stream.substr(at, stream.find("data:", at) - at);
    if (chunk.starts_with("\"content\":\"\"")) continue;
    ++texts;
    with += chunk.find("\"timings\":{\"cache_n\":") != std::string::npos ? 1 : 0;
  }
  EXPECT_GT(texts, 0U);
  EXPECT_EQ(with, texts);
}

TEST_F(ServerTest, LogprobsKeepBytesOfSplitCharacters) {
  begin();
  model().set_script(testing::hello());
  const WireReply reply =
      ask(post(kChat, R"({"logprobs":true,"top_logprobs":1,"messages":[{"role":"user","content":"Hi"}]})"));
  const Json entries = json(reply)["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(entries.size(), 3);
  EXPECT_EQ(entries[1]["bytes"], Json::parse("[119,195]"));
  EXPECT_EQ(entries[2]["top_logprobs"][0]["token"], "x\"y");
  EXPECT_EQ(model().wait_for_request().top_logprobs, 1);
}

TEST_F(ServerTest, ARefusedGenerationIsAnErrorEvenWhenStreamed) {
  begin();
  const Error too_long{Error::Code::exhausted,
                       "the prompt has 99 tokens; the context is 64",
                       "messages",
                       "context_length_exceeded",
                       {{"n_prompt_tokens", 99}, {"n_ctx", 64}}};
  model().set_script({{0, Failed{too_long}}});
  for (const auto body : {kHi, kHiStream}) {
    const WireReply reply = ask(post(kChat, body));
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(error(reply)["code"], "context_length_exceeded");
    EXPECT_EQ(error(reply)["n_ctx"], 64);
    EXPECT_EQ(error(reply)["type"], "invalid_request_error");
  }
}

TEST_F(ServerTest, AModelThatIsStoppedUnderARequestIsNoAnswer) {
  begin();
  model().set_script({{0, Finished{FinishReason::cancelled, "", {}, {}}}});
  const WireReply reply = ask(post(kChat, kHi));
  EXPECT_EQ(reply.status, 503);
  EXPECT_TRUE(reply.has("retry-after: 1\r\n"));
}

TEST_F(ServerTest, AFailureAfterTheStartIsAnEventWithoutDone) {
  begin();
  model().set_script({{0, Started{5, 0}},
                      {0, TextDelta{"x", false, {}, 1}},
                      {0, Failed{{Error::Code::internal, "broken", {}, {}, {}}}}});
  const WireReply reply = ask(post(kChat, kHiStream));
  // Both events may come in one batch, before anything was sent; then the error is a status.
  if (reply.status == 200) {
    EXPECT_THAT(reply.body, HasSubstr(R"(data: {"error":{"message":"broken")"));
  }
  EXPECT_THAT(reply.body, ::testing::Not(HasSubstr("[DONE]")));
  EXPECT_THAT(reply.body, ::testing::Not(HasSubstr("<cut>")));
}

TEST_F(ServerTest, AClientThatHangsUpCancelsItsGeneration) {
  begin();
  GenerationId id = 0;
  for (const auto body : {kHi, kHiStream}) {
    SocketClient client(url());
    client.send(post(kChat, body));
    model().wait_for_request(id++);
    model().emit(id, {0, Started{5, 0}});
    if (body == kHiStream) {
      ASSERT_TRUE(client.read_until("assistant"));
    }
    client.close();
    model().wait_for_cancel(id);
  }
}

TEST_F(ServerTest, AClientThatSentMuchAheadAndHangsUpIsNoticed) {
  begin();
  SocketClient client(url());
  client.send(post(kChat, kHi));
  model().wait_for_request(0);
  client.send(post("/tokenize", std::string(80 << 10, ' ')));
  client.close();
  model().wait_for_cancel(1);
}

TEST_F(ServerTest, AClientThatHangsUpWhileTheModelLoadsIsNotWaitedFor) {
  begin();
  pool_.set_loading(true);
  for (const auto& request : {post(kChat, kHi), post("/v1/completions", R"({"prompt":[1],"echo":true})")}) {
    SocketClient client(url());
    client.send(request);
    client.send(get("/livez"));
    client.close();
  }
  const auto given_up = [this](std::string_view path) {
    return HasSubstr("http_requests_total{handler=\"" + std::string(path) +
                     "\",method=\"POST\",status=\"499\"} 1\n");
  };
  std::string metrics;
  while (!::testing::Value(metrics, ::testing::AllOf(given_up(kChat), given_up("/v1/completions")))) {
    metrics = ask(get("/metrics")).body;
  }
  pool_.set_loading(false);
  EXPECT_EQ(ask(get("/livez")).status, 200);
  EXPECT_EQ(model().submitted(), 0);
}

TEST_F(ServerTest, ASlowReaderStallsNobody) {
  begin();
  SocketClient slow(url());
  slow.send(post(kChat, kHiStream));
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  const std::string much(200'000, '#');
  for (int i = 0; i < 60; ++i) model().emit(1, {0, TextDelta{much, false, {}, 1}});
  EXPECT_EQ(ask(get("/livez")).status, 200);
  model().emit(1, {0, Finished{}});
  const WireReply reply = slow.reply();
  EXPECT_EQ(std::count(reply.body.begin(), reply.body.end(), '#'), 12'000'000);
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(ServerTest, CompletionsTakeManyPromptsAndEcho) {
  begin();
  model().set_script(testing::hello());
  const WireReply reply = ask(post("/v1/completions", R"({"prompt":["a","b"],"echo":true,"max_tokens":3})"));
  const Json body = json(reply);
  ASSERT_EQ(body["choices"].size(), 2) << reply.body;
  EXPECT_EQ(body["choices"][1]["text"], "bHello wörld");
  EXPECT_EQ(body["usage"]["completion_tokens"], 6);
  EXPECT_EQ(error(ask(post("/v1/completions", R"({"prompt":"a","suffix":"b"})")))["param"], "suffix");
  EXPECT_EQ(error(ask(post("/v1/completions", R"({"prompt":[5,100]})")))["param"], "prompt");
  const Json old =
      json(ask(post("/v1/completions", R"({"prompt":"a","logprobs":1})")))["choices"][0]["logprobs"];
  EXPECT_EQ(old["tokens"][1], "bytes:\\x77\\xc3");
  EXPECT_EQ(old["text_offset"][1], 6);
}

TEST_F(ServerTest, SmallEndpointsAnswer) {
  begin();
  const Json vectors = json(ask(post("/v1/embeddings", R"({"input":["a","b"],"dimensions":1})")));
  EXPECT_EQ(vectors["data"][1]["embedding"], Json::parse("[1.0]"));
  EXPECT_EQ(vectors["model"], "fake/model:1");
  EXPECT_EQ(error(ask(post("/v1/embeddings", R"({"input":"a","dimensions":3})")))["param"], "dimensions");
  EXPECT_EQ(json(ask(get("/v1/models")))["data"][0]["context_length"], 64);
  EXPECT_EQ(json(ask(get("/v1/models/fake/model:1")))["id"], "fake/model:1");
  EXPECT_EQ(json(ask(get("/v1/models/fake%2Fmodel%3A1")))["id"], "fake/model:1");
  EXPECT_EQ(error(ask(get("/v1/models/none")))["code"], "model_not_found");
  EXPECT_EQ(json(ask(post("/tokenize", R"({"content":"ab"})")))["tokens"], Json::parse("[97,98]"));
  EXPECT_EQ(json(ask(post("/tokenize", R"({"content":"\u00e9","with_pieces":true})")))["tokens"][0]["piece"],
            Json::parse("[195]"));
  EXPECT_EQ(json(ask(post("/detokenize", R"({"tokens":[1,2]})")))["content"], "xx");
  EXPECT_EQ(json(ask(post("/apply-template", kHi)))["prompt"], "<Hi>");
  EXPECT_EQ(json(ask(post("/v1/chat/completions/input_tokens", kHi)))["input_tokens"], 1);
  EXPECT_EQ(json(ask(get("/props")))["default_generation_settings"]["n_ctx"], 64);
  EXPECT_THAT(ask(get("/", "accept: text/html\r\n")).body, HasSubstr("<html"));
  const std::string metrics = ask(get("/metrics")).body;
  EXPECT_THAT(metrics, HasSubstr("pensieve_prompt_tokens_total{model=\"fake/model:1\"} 7\n"));
  EXPECT_THAT(
      metrics,
      HasSubstr("http_requests_total{handler=\"/v1/models/{id...}\",method=\"GET\",status=\"404\"} 1\n"));
}

TEST_F(ServerTest, HealthFollowsTheModel) {
  begin();
  pool_.is_ready = false;
  EXPECT_EQ(ask(get("/livez")).status, 200);
  EXPECT_EQ(ask(get("/readyz")).status, 503);
  EXPECT_THAT(ask(get("/health")).body, HasSubstr("Loading model"));
  pool_.is_ready = true;
  EXPECT_EQ(ask(get("/readyz")).status, 200);
  EXPECT_EQ(ask(get("/readyz?model=none")).status, 404);
  SocketClient client(url());
  client.send("HEAD /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const WireReply head = client.reply(true);
  EXPECT_TRUE(head.has("content-length: 15\r\n"));
  EXPECT_EQ(client.ask(get("/livez")).status, 200) << "the reply to HEAD must have no body";
}

TEST_F(ServerTest, EveryPathButTheNamedOnesNeedsTheKey) {
  Options options;
  options.api_key = {"sk-1", "sk-2"};
  begin(options);
  const std::vector<std::string> open{"/livez",   "/readyz",      "/health",      "/v1/health", "/",
                                      "/app.js",  "/markdown.js", "/store.js",    "/style.css", "/docs",
                                      "/docs.js", "/docs.css",    "/openapi.json"};
  std::vector<std::string> without;
  for (const Endpoint* endpoint : endpoints()) {
    for (const std::string_view path : endpoint->paths) {
      const std::string head =
          std::string(endpoint->method) + " " + std::string(path) + " HTTP/1.1\r\nhost: localhost\r\n";
      const WireReply reply = ask(head + "content-length: 0\r\n\r\n");
      if (reply.status != 401) without.emplace_back(path);
      const WireReply wrong = ask(head + "authorization: Bearer sk-3\r\ncontent-length: 0\r\n\r\n");
      EXPECT_EQ(wrong.status == 401, reply.status == 401) << path;
    }
  }
  EXPECT_THAT(without, ::testing::UnorderedElementsAreArray(open));
  for (const char* path : {"/no/such/path", "//v1/models", "/V1/models", "/v1/models/", "/%2fv1/models",
                           "/livez/../v1/models"}) {
    EXPECT_EQ(ask(get(path)).status, 401) << path;
  }
  EXPECT_EQ(error(ask(get("/v1/models")))["code"], "invalid_api_key");
  EXPECT_EQ(ask(get("/v1/models", "authorization: Bearer sk-2\r\n")).status, 200);
  EXPECT_EQ(ask(get("/v1/models", "x-api-key: sk-1\r\n")).status, 200);
  EXPECT_EQ(
      ask("OPTIONS /v1/models HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:3000\r\n\r\n").status,
      204);
}

TEST_F(ServerTest, ForeignHostsAndPagesAreRefused) {
  begin();
  EXPECT_EQ(ask("GET /v1/models HTTP/1.1\r\nhost: evil.example.com\r\n\r\n").status, 403);
  EXPECT_EQ(ask(get("/v1/models", "origin: https://evil.example.com\r\n")).status, 403);
  EXPECT_EQ(ask(post(kChat, kHi, "origin: null\r\n")).status, 403);
  const WireReply page = ask(get("/v1/models", "origin: http://127.0.0.1:3000\r\n"));
  EXPECT_TRUE(page.has("access-control-allow-origin: http://127.0.0.1:3000\r\n"));
  const WireReply preflight =
      ask("OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:3000\r\n"
          "access-control-request-method: POST\r\naccess-control-request-headers: authorization\r\n\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_TRUE(preflight.has("access-control-allow-methods: POST, OPTIONS\r\n"));
}

TEST_F(ServerTest, APublicAddressWithoutKeyIsRefused) {
  Options options;
  options.host = "0.0.0.0";
  options.port = 0;
  const auto refused = Server::start(options, services_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("--api-key"));
  options.api_key = {"sk"};
  EXPECT_TRUE(Server::start(options, services_));
}

TEST_F(ServerTest, UnknownPathsAndMethodsAreExplained) {
  begin();
  const WireReply path = ask(post("/v1/chat/completion", "{}"));
  EXPECT_EQ(path.status, 404);
  EXPECT_THAT(std::string(error(path)["message"]), HasSubstr("/v1/chat/completion"));
  const WireReply method = ask(get(kChat));
  EXPECT_EQ(method.status, 405);
  EXPECT_TRUE(method.has("allow: POST\r\n"));
  EXPECT_EQ(error(method).size(), 4);
}

TEST_F(ServerTest, DrainingLetsRunningRequestsFinish) {
  begin();
  SocketClient idle(url());
  ASSERT_EQ(idle.ask(get("/livez")).status, 200);
  SocketClient busy(url());
  busy.send(post(kChat, kHiStream));
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  ASSERT_TRUE(busy.read_until("assistant"));
  std::thread stopper([this] { server_->stop(std::chrono::seconds(60)); });
  EXPECT_TRUE(idle.closed_by_server());
  model().emit(1, {0, TextDelta{"bye", false, {}, 1}});
  model().emit(1, {0, Finished{}});
  const WireReply reply = busy.reply();
  EXPECT_THAT(reply.body, HasSubstr("bye"));
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
  EXPECT_TRUE(busy.closed_by_server());
  stopper.join();
  EXPECT_FALSE(SocketClient(url()).connected());
}

TEST_F(ServerTest, WhileDrainingThePortAnswersButTakesNoWork) {
  begin();
  SocketClient busy(url());
  busy.send(post(kChat, kHiStream));
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  ASSERT_TRUE(busy.read_until("assistant"));
  std::thread stopper([this] { server_->stop(std::chrono::seconds(60)); });
  while (ask(get("/readyz")).status == 200) std::this_thread::yield();
  EXPECT_EQ(ask(get("/livez")).status, 200);
  EXPECT_EQ(ask(get("/health")).status, 503);
  const WireReply refused = ask(post(kChat, kHi));
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.has("retry-after: 1\r\n"));
  EXPECT_TRUE(refused.has("connection: close\r\n"));
  EXPECT_EQ(error(refused)["code"], "server_stops");
  model().emit(1, {0, Finished{}});
  EXPECT_TRUE(busy.reply().body.ends_with("data: [DONE]\n\n"));
  stopper.join();
}

TEST_F(ServerTest, HealthIsAnsweredWhileTheOtherThreadsAreBusy) {
  begin();
  std::promise<void> release;
  model().block_rendering(release.get_future().share());
  SocketClient stuck(url());
  stuck.send(post("/apply-template", kHi));
  model().wait_for_rendering();
  for (const char* path : {"/livez", "/readyz", "/health", "/v1/health", "/readyz?model=fake%2Fmodel:1"})
    EXPECT_EQ(ask(get(path)).status, 200) << path;
  release.set_value();
  EXPECT_EQ(stuck.reply().status, 200);
}

TEST_F(ServerTest, ConnectionsForHealthDoNoOtherWorkForLong) {
  begin();
  SocketClient client(url());
  EXPECT_EQ(client.ask(get("/livez")).status, 200);
  EXPECT_EQ(client.ask(get("/livez")).status, 200);
  const WireReply other = client.ask(get("/v1/models"));
  EXPECT_EQ(other.status, 200);
  EXPECT_TRUE(other.has("connection: close\r\n"));
}

TEST_F(ServerTest, LiveOptionsTakeEffectAtOnce) {
  Options options;
  options.api_key = {"old"};
  begin(options);
  EXPECT_EQ(ask(get("/v1/models", "x-api-key: old\r\n")).status, 200);
  options.api_key = {"new"};
  options.allowed_host = {"models.example"};
  options.max_body_bytes = 1024;
  server_->configure(options);
  EXPECT_EQ(ask(get("/v1/models", "x-api-key: old\r\n")).status, 401);
  EXPECT_EQ(ask(get("/v1/models", "x-api-key: new\r\n")).status, 200);
  EXPECT_EQ(ask("GET /livez HTTP/1.1\r\nhost: models.example\r\n\r\n").status, 200);
  EXPECT_EQ(ask(post(kChat, std::string(2000, ' '), "x-api-key: new\r\n")).status, 413);
}

TEST_F(ServerTest, StoppingNowTellsTheClientAndCancels) {
  begin();
  SocketClient client(url());
  client.send(post(kChat, kHiStream));
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  ASSERT_TRUE(client.read_until("assistant"));
  server_->stop(std::chrono::seconds(0));
  model().wait_for_cancel(1);
  EXPECT_THAT(client.reply().body, HasSubstr("unavailable_error"));
}

TEST_F(ServerTest, TooManyConnectionsAreToldToComeBack) {
  Options options;
  options.max_connections = 1;
  begin(options);
  SocketClient first(url());
  ASSERT_EQ(first.ask(get("/livez")).status, 200);
  SocketClient second(url());
  const WireReply reply = second.reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_TRUE(reply.has("retry-after: 1\r\n"));
  EXPECT_EQ(first.ask(get("/livez")).status, 200);
}

}  // namespace
}  // namespace pensieve::server
