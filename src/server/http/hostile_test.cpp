// Malformed, smuggling and oversized HTTP over real sockets: cases are data (tests/data/server/hostile.http).
#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "server/server.h"
#include "server/testing/fake_services.h"
#include "server/testing/socket_client.h"

namespace pensieve::server {
namespace {

using testing::SocketClient;

struct Case {
  std::string name;
  std::vector<int> statuses;
  bool closes = false;
  std::vector<std::string> parts;  // each but the first is sent after one more reply
};

std::string unescape(std::string_view line) {
  std::string out;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] != '\\' || at + 1 == line.size()) {
      out += line[at];
      continue;
    }
    const char kind = line[++at];
    if (kind == 'x') {
      out += static_cast<char>(std::stoi(std::string(line.substr(at + 1, 2)), nullptr, 16));
      at += 2;
    } else {
      out += kind == 'r' ? '\r' : kind == 'n' ? '\n' : kind == 't' ? '\t' : kind == '0' ? '\0' : kind;
    }
  }
  return out;
}

std::vector<Case> read_cases() {
  std::ifstream file(PENSIEVE_TEST_DATA "/server/hostile.http");
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("###+")) {
      cases.back().parts.emplace_back();
    } else if (line.starts_with("### ")) {
      Case& entry = cases.emplace_back();
      const std::size_t colon = line.rfind(": ");
      entry.name = line.substr(4, colon - 4);
      std::istringstream expected(line.substr(colon + 2));
      for (std::string word; expected >> word;) {
        if (word == "close")
          entry.closes = true;
        else
          entry.statuses.push_back(std::stoi(word));
      }
      entry.parts.emplace_back();
    } else if (!cases.empty()) {
      cases.back().parts.back() += unescape(line);
    }
  }
  return cases;
}

class HostileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.port = 0;
    options_.max_body_bytes = 100'000;
    options_.header_timeout = options_.body_timeout = 1;
    server_ = std::move(*Server::start(options_, services_));
  }
  static bool lives(const std::string& url) {
    return SocketClient(url).ask(testing::get("/livez")).status == 200;
  }

  Options options_;
  util::Log log_{util::LogLevel::off};
  testing::FakePool pool_;
  manage::Services services_{pool_, log_};
  std::unique_ptr<Server> server_;
};

TEST_F(HostileTest, EveryCaseGetsExactlyTheRepliesItDeserves) {
  const auto cases = read_cases();
  ASSERT_GE(cases.size(), 40U);
  for (const Case& entry : cases) {
    SCOPED_TRACE(entry.name);
    SocketClient client(server_->url());
    client.send(entry.parts.front());
    for (std::size_t i = 0; i < entry.statuses.size(); ++i) {
      const auto reply = client.reply();
      EXPECT_EQ(reply.status, entry.statuses[i]) << reply.body;
      if (i + 1 < entry.parts.size()) client.send(entry.parts[i + 1]);
    }
    if (entry.closes) {
      EXPECT_TRUE(client.closed_by_server());
      EXPECT_EQ(client.received(), "") << "never two answers";
    } else {
      EXPECT_EQ(client.ask(testing::get("/livez")).status, 200) << "the connection must stay usable";
    }
  }
}

TEST_F(HostileTest, OversizedHeadsAreRefusedBeforeTheyEnd) {
  SocketClient header(server_->url());
  EXPECT_EQ(header.ask("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: " + std::string(200'000, 'a')).status,
            431);
  SocketClient target(server_->url());
  EXPECT_EQ(target.ask("GET /" + std::string(60'000, 'a')).status, 414);
  SocketClient many(server_->url());
  std::string fields;
  for (int i = 0; i < 20'000; ++i) fields += "x: y\r\n";
  EXPECT_EQ(many.ask("GET /livez HTTP/1.1\r\nhost: localhost\r\n" + fields + "\r\n").status, 431);
  EXPECT_TRUE(lives(server_->url()));
}

TEST_F(HostileTest, AnEndlessBodyEndsWith413) {
  SocketClient client(server_->url());
  client.send("POST /tokenize HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
  const std::string chunk = "2710\r\n" + std::string(10'000, 'x') + "\r\n";
  for (int i = 0; i < 40; ++i) client.send(chunk);
  EXPECT_EQ(client.reply().status, 413);
  EXPECT_TRUE(lives(server_->url()));
}

TEST_F(HostileTest, SlowHeadsAndBodiesAreGivenUp) {
  SocketClient head(server_->url());
  head.send("GET /livez HTTP/1.1\r\nhost: loc");
  SocketClient body(server_->url());
  body.send("POST /tokenize HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n{\"con");
  SocketClient silent(server_->url());
  EXPECT_EQ(head.reply().status, 408);
  EXPECT_EQ(body.reply().status, 408);
  EXPECT_TRUE(silent.closed_by_server());
  EXPECT_TRUE(head.closed_by_server());
  EXPECT_TRUE(lives(server_->url()));
}

}  // namespace
}  // namespace pensieve::server
