// Connection: the requests of one HTTP/1.1 connection, one after the other: read, checked, routed, answered.
// Knows no socket (http/channel.h) and no API (endpoints/).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "server/access.h"
#include "server/context.h"
#include "server/endpoint.h"
#include "server/http/channel.h"
#include "server/http/head.h"
#include "server/http/http_exchange.h"
#include "server/router.h"

namespace pensieve::server {

// What all connections of a server share. Outlives them.
struct Site {
  Context& context;
  std::span<const Endpoint* const> endpoints;
  const KeyRing& keys;
  const HostNames& hosts;
};

// Thread rule: the channel's executor only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `ended` is posted once, when the connection has closed.
  Connection(std::shared_ptr<Channel> channel, const Site& site, std::function<void()> ended);
  void start();
  void drain();  // no further request is read; an idle connection closes at once
  // It serves on the thread that is kept free for health: it closes after any other request.
  void keep_for_health() { for_health_ = true; }
  void stop();  // also cancels the running request

 private:
  struct Received {
    Head head;
    std::string bytes;  // the head as it came
  };
  Task<void> serve();
  Task<bool> serve_one();
  Task<tl::expected<Received, Refusal>> read_head();
  Task<std::optional<Refusal>> read_body(const Received& received, std::string* body, std::size_t limit);
  std::optional<Refusal> check(const Head& head, Route& route) const;
  Task<void> answer(HttpExchange& exchange, const Route& route);
  void refuse(HttpExchange& exchange, const Refusal& refusal) const;
  void preflight(HttpExchange& exchange, const Route& route) const;
  void record(const HttpExchange& exchange, const Route& route, std::chrono::nanoseconds took) const;
  HeadLimits limits() const;

  std::shared_ptr<Channel> channel_;
  const Site& site_;
  std::function<void()> ended_;
  Task<void> task_;
  HttpExchange* exchange_ = nullptr;  // the running one, a local of serve_one
  bool draining_ = false, for_health_ = false;
  std::size_t served_ = 0;
};

}  // namespace pensieve::server
