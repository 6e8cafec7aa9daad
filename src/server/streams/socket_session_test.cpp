// The WebSocket protocol over real sockets with a scripted model: what a client sees of the handshake, of
// several generations on one connection, of cancelling, closing, resuming and shutting down.
#include "server/streams/socket_session.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "server/server.h"
#include "server/testing/fake_services.h"
#include "server/testing/socket_client.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

using ::testing::HasSubstr;
using testing::SocketClient;
using util::Json;

constexpr std::string_view kUpgrade =
    "upgrade: websocket\r\nconnection: keep-alive, Upgrade\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

// Speaks the client's side of the protocol: masked frames out, whole frames in.
class WebSocketClient {
 public:
  explicit WebSocketClient(const std::string& url, std::string_view headers = "") : socket_(url) {
    socket_.send(testing::get("/v1/ws", std::string(kUpgrade) + std::string(headers)));
    if (socket_.read_until("\r\n\r\n")) at_ = socket_.received().find("\r\n\r\n") + 4;
  }
  std::string head() const { return socket_.received().substr(0, at_); }
  void send(FrameKind kind, std::string_view payload) {
    std::string bytes;
    append_frame(kind, payload, bytes);
    const std::size_t header = bytes.size() - payload.size();
    bytes[1] = static_cast<char>(bytes[1] | 0x80);
    bytes.insert(header, std::string(4, '\0'));  // a mask of zeros changes nothing
    socket_.send(bytes);
  }
  void say(std::string_view text) { send(FrameKind::text, text); }
  void create(std::string_view id, std::string_view more = "") {
    say(R"({"type":"generate.create","id":")" + std::string(id) +
        R"(","messages":[{"role":"user","content":"Hi"}])" + std::string(more) + "}");
  }
  // The next frame's payload; `kind` is 0 when the connection has ended.
  std::string frame(int& kind) {
    kind = 0;
    if (!have(2)) return {};
    const std::string& all = socket_.received();
    std::size_t size = static_cast<unsigned char>(all[at_ + 1]), header = 2;
    if (size >= 126) {
      header += size == 126 ? 2 : 8;
      if (!have(header)) return {};
      size = 0;
      for (std::size_t i = 2; i < header; ++i)
        size = size << 8 | static_cast<unsigned char>(socket_.received()[at_ + i]);
    }
    if (!have(header + size)) return {};
    kind = socket_.received()[at_] & 0x0F;
    std::string payload = socket_.received().substr(at_ + header, size);
    at_ += header + size;
    return payload;
  }
  Json event() {
    int kind = 0;
    const std::string payload = frame(kind);
    return kind == 1 ? util::parse_json(payload).value_or(Json())
                     : Json{{"type", "frame " + std::to_string(kind)}};
  }
  void close() { socket_.close(); }

 private:
  bool have(std::size_t count) {
    while (socket_.received().size() < at_ + count) {
      if (!socket_.read_more()) return false;
    }
    return true;
  }
  SocketClient socket_;
  std::size_t at_ = 0;
};

class SocketSessionTest : public ::testing::Test {
 protected:
  void begin(Options options = {}) {
    options.port = 0;
    auto started = Server::start(options, services_);
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }
  std::string url() const { return server_->url(); }
  testing::FakeInference& model() { return *pool_.model; }

  int null_ = ::open("/dev/null", O_WRONLY);
  util::Log log_{util::LogLevel::debug, util::LogFormat::json, null_};
  testing::FakePool pool_;
  manage::Services services_{pool_, log_};
  std::unique_ptr<Server> server_;
};

TEST_F(SocketSessionTest, TheHandshakeIsAnsweredAsTheStandardSays) {
  begin();
  const WebSocketClient client(url());
  EXPECT_THAT(client.head(), HasSubstr("HTTP/1.1 101 "));
  EXPECT_THAT(client.head(), HasSubstr("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
      << "RFC 6455, 1.3";
  const auto plain = SocketClient(url()).ask(testing::get("/v1/ws"));
  EXPECT_EQ(plain.status, 426);
  EXPECT_TRUE(plain.has("upgrade: websocket"));
  EXPECT_THAT(plain.body, HasSubstr("WebSocket"));
  EXPECT_EQ(
      SocketClient(url()).ask(testing::get("/v1/ws", "upgrade: websocket\r\nconnection: upgrade\r\n")).status,
      426);
  EXPECT_EQ(SocketClient(url()).ask(testing::get("/v1/ws", "origin: https://evil.example.com\r\n")).status,
            403);
  EXPECT_EQ(SocketClient(url()).ask(testing::get("/_ws/echo", kUpgrade)).status, 404)
      << "not without --test-endpoints";
}

TEST_F(SocketSessionTest, AGenerationIsToldFromCreatedToDone) {
  begin();
  model().set_script(testing::hello());
  WebSocketClient client(url());
  client.create("g1", R"(,"temperature":0,"event_id":"mine","stream":true)");
  const Json created = client.event();
  EXPECT_EQ(created["type"], "generation.created");
  EXPECT_EQ(created["model"], "fake/model:1");
  EXPECT_EQ(created["sequence"], 1);
  EXPECT_EQ(client.event()["delta"], "Hello ");
  EXPECT_EQ(client.event()["delta"], "wörld");
  const Json done = client.event();
  EXPECT_EQ(done["type"], "generation.done");
  EXPECT_EQ(done["id"], "g1");
  EXPECT_EQ(done["sequence"], 4);
  EXPECT_EQ(done["finish_reason"], "length");
  EXPECT_EQ(done["usage"]["total_tokens"], 8);
  client.create("g1");
  EXPECT_EQ(client.event()["type"], "generation.created") << "the id is free again";
}

TEST_F(SocketSessionTest, ToolCallsAreToldInPieces) {
  begin();
  model().set_script({{0, Started{5, 0}},
                      {0, ToolCallDelta{0, "call_1", "weather", "{\"a\""}},
                      {0, ToolCallDelta{0, {}, {}, ":1}"}},
                      {0, Finished{FinishReason::tool_calls, "", {}, {}}}});
  WebSocketClient client(url());
  client.create("g");
  client.event();
  const Json first = client.event(), second = client.event();
  EXPECT_EQ(first["type"], "tool_call.delta");
  EXPECT_EQ(first["call_id"], "call_1");
  EXPECT_EQ(first["name"], "weather");
  EXPECT_EQ(second["arguments"], ":1}");
  EXPECT_FALSE(second.contains("name"));
  EXPECT_EQ(client.event()["finish_reason"], "tool_calls");
}

TEST_F(SocketSessionTest, WrongEventsAreToldAndHarmNobody) {
  begin();
  WebSocketClient client(url());
  client.create("running");
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  EXPECT_EQ(client.event()["type"], "generation.created");
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{", "invalid_json"},
      {"[]", "invalid_request"},
      {R"({"id":"x"})", "invalid_request"},
      {R"({"type":"dance","id":"x"})", "unknown_event"},
      {R"({"type":"generate.create"})", "invalid_request"},
      {R"({"type":"generate.create","id":""})", "invalid_request"},
      {R"({"type":"generate.create","id":")" + std::string(257, 'x') + "\"}", "invalid_request"},
      {R"({"type":"generate.cancel","id":"nobody"})", "generation_not_found"},
      {R"({"type":"session.resume","id":"running","after":0})", "generation_not_found"},
      {R"({"type":"generate.create","id":"running","messages":[]})", "id_in_use"}};
  for (const auto& [text, code] : wrong) {
    client.say(text);
    const Json event = client.event();
    EXPECT_EQ(event["error"]["code"], code) << text << event;
    EXPECT_TRUE(event["id"].is_null());
    EXPECT_EQ(event["sequence"], 0);
  }
  client.send(FrameKind::binary, "x");
  EXPECT_EQ(client.event()["error"]["code"], "invalid_request");
  for (const auto& [more, param] :
       {std::pair(R"(,"temperature":"hot")", "temperature"), std::pair(R"(,"n":2)", "n"),
        std::pair(R"(,"logprobs":true)", "logprobs"), std::pair(R"(,"model":"x")", "model")}) {
    client.create("refused", more);
    const Json event = client.event();
    EXPECT_EQ(event["type"], "error");
    EXPECT_EQ(event["id"], "refused");
    EXPECT_EQ(event["error"]["param"], param) << event;
  }
  model().emit(1, {0, TextDelta{"still here", false, {}, 1}});
  EXPECT_EQ(client.event()["delta"], "still here");
}

TEST_F(SocketSessionTest, CancellingAndClosingStopTheWork) {
  begin();
  WebSocketClient client(url());
  client.create("a");
  client.create("b");
  model().wait_for_request(1);
  client.say(R"({"type":"generate.cancel","id":"a"})");
  model().wait_for_cancel(1);
  EXPECT_EQ(client.event()["type"], "generation.created");
  const Json done = client.event();
  EXPECT_EQ(done["id"], "a");
  EXPECT_EQ(done["finish_reason"], "cancelled");
  client.close();
  model().wait_for_cancel(2);
}

TEST_F(SocketSessionTest, AResumableGenerationSurvivesItsConnection) {
  begin();
  std::vector<std::string> ids;
  {
    WebSocketClient client(url());
    client.create("r", R"(,"resumable":true)");
    model().wait_for_request(0);
    model().emit(1, {0, Started{5, 0}});
    model().emit(1, {0, TextDelta{"one ", false, {}, 1}});
    ids = {client.event()["event_id"], client.event()["event_id"]};
  }
  model().emit(1, {0, TextDelta{"two", false, {}, 1}});
  WebSocketClient client(url());
  client.say(R"({"type":"session.resume","id":"r","after":1})");
  const Json again = client.event();
  EXPECT_EQ(again["event_id"], ids[1]) << "the same event";
  EXPECT_EQ(again["delta"], "one ");
  EXPECT_EQ(client.event()["delta"], "two");
  model().emit(1, {0, Finished{}});
  EXPECT_EQ(client.event()["sequence"], 4);
  client.say(R"({"type":"session.resume","id":"r","after":99})");
  EXPECT_EQ(client.event()["error"]["param"], "after");
}

TEST_F(SocketSessionTest, AnIdThatIsOnlyKeptIsFreeAndHasNothingToCancel) {
  begin();
  model().set_script(testing::hello());
  WebSocketClient client(url());
  for (int round = 0; round < 2; ++round) {
    client.create("r", R"(,"resumable":true)");
    Json event = client.event();
    EXPECT_EQ(event["type"], "generation.created") << event;
    while (event["type"] != "generation.done" && event["type"] != "error") event = client.event();
    EXPECT_EQ(event["type"], "generation.done") << event;
    client.say(R"({"type":"generate.cancel","id":"r"})");
    event = client.event();
    EXPECT_EQ(event["error"]["code"], "generation_not_found") << event;
    EXPECT_TRUE(event["id"].is_null());
  }
}

TEST_F(SocketSessionTest, AWrongFieldOfTheProtocolIsToldUnderTheId) {
  begin();
  WebSocketClient client(url());
  client.create("g", R"(,"resumable":"yes")");
  const Json event = client.event();
  EXPECT_EQ(event["id"], "g");
  EXPECT_EQ(event["sequence"], 1);
  EXPECT_EQ(event["error"]["param"], "resumable") << event;
}

TEST_F(SocketSessionTest, ATurnOfASessionIsKeptBeforeItsEndIsTold) {
  Options options;
  options.session_file = ":memory:";
  begin(options);
  model().set_script(testing::hello());
  const auto made = SocketClient(url()).ask(testing::post("/v1/sessions", R"({"model":"fake/model:1"})"));
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string id = (*util::parse_json(made.body))["id"];
  const auto stored = [&] {
    const auto list = SocketClient(url()).ask(testing::get("/v1/sessions/" + id + "/messages"));
    return util::parse_json(list.body).value_or(Json())["data"];
  };
  WebSocketClient client(url());
  const std::string of_session = R"(,"session":")" + id + "\"";
  for (std::size_t turn = 1; turn <= 2; ++turn) {
    client.create("t", of_session);
    Json event;
    do {
      event = client.event();
    } while (event["type"] == "generation.created" || event["type"] == "message.delta");
    EXPECT_EQ(event["type"], "generation.done") << event;
    EXPECT_EQ(event["usage"]["total_tokens"], 8);
    ASSERT_EQ(stored().size(), 2 * turn);
    EXPECT_EQ(stored().back()["content"], "Hello wörld");
  }
  model().set_script({});
  client.create("cancelled", of_session);
  model().wait_for_request(2);
  client.say(R"({"type":"generate.cancel","id":"cancelled"})");
  EXPECT_EQ(client.event()["type"], "generation.created");
  EXPECT_EQ(client.event()["finish_reason"], "cancelled");
  EXPECT_EQ(stored().size(), 4U) << "nothing of it is kept";
  model().set_script({{0, Failed{{Error::Code::internal, "broken", "", "", {}}}}});
  client.create("failing", of_session);
  EXPECT_EQ(client.event()["error"]["message"], "broken") << "the session was free";
  EXPECT_EQ(stored().size(), 4U);
}

TEST_F(SocketSessionTest, AKeySeesItsOwnGenerationsOnly) {
  Options options;
  options.api_key = {"sk-1", "sk-2"};
  begin(options);
  EXPECT_THAT(WebSocketClient(url()).head(), HasSubstr("HTTP/1.1 401 "));
  WebSocketClient one(url(), "authorization: Bearer sk-1\r\n"), two(url(), "x-api-key: sk-2\r\n");
  one.create("g", R"(,"resumable":true)");
  model().wait_for_request(0);
  for (const char* text :
       {R"({"type":"session.resume","id":"g","after":0})", R"({"type":"generate.cancel","id":"g"})"}) {
    two.say(text);
    EXPECT_EQ(two.event()["error"]["code"], "generation_not_found");
  }
  two.create("g");
  model().wait_for_request(1);  // the other's id is not in the way
}

TEST_F(SocketSessionTest, ASlowReaderLosesNothingAndStallsNobody) {
  begin();
  WebSocketClient slow(url());
  slow.create("s");
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  const std::string much(200'000, '#');
  for (int i = 0; i < 60; ++i) model().emit(1, {0, TextDelta{much, false, {}, 1}});
  EXPECT_EQ(SocketClient(url()).ask(testing::get("/livez")).status, 200);
  model().emit(1, {0, Finished{}});
  std::size_t read = 0;
  Json event;
  std::uint64_t sequence = 0;
  do {
    event = slow.event();
    EXPECT_EQ(event["sequence"], ++sequence);
    if (event["type"] == "message.delta") read += event["delta"].get<std::string>().size();
  } while (event["type"] == "generation.created" || event["type"] == "message.delta");
  EXPECT_EQ(event["type"], "generation.done");
  EXPECT_EQ(read, 12'000'000);
}

TEST_F(SocketSessionTest, PingsAreAnsweredAndBrokenFramesEndTheConnection) {
  begin();
  WebSocketClient client(url());
  client.send(FrameKind::ping, "are you there");
  int kind = 0;
  EXPECT_EQ(client.frame(kind), "are you there");
  EXPECT_EQ(kind, 10);
  client.send(FrameKind::continuation, "of nothing");
  EXPECT_EQ(client.frame(kind).substr(0, 2), std::string("\x03\xEA", 2)) << "1002";
  EXPECT_EQ(kind, 8);
  client.frame(kind);
  EXPECT_EQ(kind, 0) << "closed";
}

TEST_F(SocketSessionTest, DrainingEndsIdleConnectionsAndWaitsForTheOthers) {
  begin();
  WebSocketClient idle(url()), busy(url());
  busy.create("g");
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  EXPECT_EQ(busy.event()["type"], "generation.created");
  std::thread stopper([this] { server_->stop(std::chrono::seconds(60)); });
  int kind = 0;
  EXPECT_EQ(idle.frame(kind).substr(0, 2), std::string("\x03\xE9", 2)) << "1001, going away";
  busy.create("late");
  EXPECT_EQ(busy.event()["error"]["code"], "server_stops");
  model().emit(1, {0, Finished{}});
  EXPECT_EQ(busy.event()["type"], "generation.done");
  EXPECT_EQ(busy.event()["type"], "frame 8");
  stopper.join();
}

TEST_F(SocketSessionTest, StoppingNowTellsTheClientAndCancels) {
  begin();
  WebSocketClient client(url());
  client.create("g");
  model().wait_for_request(0);
  model().emit(1, {0, Started{5, 0}});
  EXPECT_EQ(client.event()["type"], "generation.created");
  server_->stop(std::chrono::seconds(0));
  model().wait_for_cancel(1);
  const Json last = client.event();
  EXPECT_EQ(last["error"]["code"], "server_stops");
  EXPECT_EQ(last["sequence"], 2);
}

}  // namespace
}  // namespace pensieve::server
