// See connection.h.
#include "server/http/connection.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "server/dialects/errors.h"
#include "server/http/body_reader.h"
#include "server/random_id.h"
#include "server/request_counts.h"

namespace pensieve::server {
namespace {

// Most bytes of a refused request's body that are read and thrown away so that its connection stays usable.
constexpr std::size_t kDiscardBytes = 1 << 20;
constexpr std::size_t kRequestIdBytes = 128;
constexpr int kNothing =
    0;  // status of a Refusal that is no answer: the client left or is not wanted any more

Refusal quiet_end() {
  return {kNothing, {}};
}

class Counted {
 public:
  explicit Counted(std::atomic<std::int64_t>& count) : count_(count) { ++count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --count_; }

 private:
  std::atomic<std::int64_t>& count_;
};

std::string request_id(const Request& request) {
  const std::string_view given = request.header("x-request-id");
  const bool sane = !given.empty() && given.size() <= kRequestIdBytes &&
                    std::all_of(given.begin(), given.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  return sane ? std::string(given) : random_id("req_", 20);
}

std::string_view key_of(const Request& request) {
  return presented_key(request.header("authorization"), request.header("x-api-key"));
}

}  // namespace

Connection::Connection(std::shared_ptr<Channel> channel, const Site& site, std::function<void()> ended)
    : channel_(std::move(channel)), site_(site), ended_(std::move(ended)) {}

void Connection::start() {
  const std::weak_ptr<Connection> self = weak_from_this();
  channel_->on_gone([self] {
    const auto connection = self.lock();
    if (connection && connection->exchange_) connection->exchange_->cancel(Cancelled::client_gone);
  });
  task_ = serve();
  task_.start();
}

void Connection::drain() {
  draining_ = true;
  channel_->changed().fire();  // also a running one: a WebSocket says goodbye
}

void Connection::stop() {
  draining_ = true;
  if (exchange_) {
    exchange_->cancel(Cancelled::server_stops);
  } else {
    channel_->close();
  }
}

HeadLimits Connection::limits() const {
  return {.bytes = static_cast<std::size_t>(site_.context.options->max_header_bytes)};
}

Task<void> Connection::serve() {
  try {
    bool more = true;
    while (more) more = co_await serve_one();
    channel_->close_after_flush();
  } catch (
      const std::exception& caught) {  // out of memory, most likely: this connection ends, the others go on
    exchange_ = nullptr;
    channel_->close();
    site_.context.services.log.write(util::LogLevel::error, "connection_failed",
                                     {{"problem", std::string_view(caught.what())}});
  }
  channel_->executor()->post(ended_);
}

Task<tl::expected<Connection::Received, Refusal>> Connection::read_head() {
  using Answer = tl::expected<Received, Refusal>;
  const std::shared_ptr<const Options> options = site_.context.options.now();
  channel_->set_deadline(
      std::chrono::seconds(served_ == 0 ? options->header_timeout : options->idle_timeout));
  while (channel_->input().empty()) {
    if (channel_->gone() || channel_->expired() || draining_) co_return Answer(tl::unexpect, quiet_end());
    co_await channel_->changed().wait();
  }
  // The whole head must come within one deadline: a client that trickles gains nothing.
  channel_->set_deadline(std::chrono::seconds(options->header_timeout));
  if (channel_->input().starts_with("\r\n"))
    channel_->consume(2);  // RFC 9112, 2.2: after an old client's POST
  std::size_t scanned = 0;
  while (true) {
    const auto size = find_head(channel_->input(), scanned, limits());
    if (!size) co_return Answer(tl::unexpect, size.error());
    if (*size > 0) {
      Received received;
      received.bytes = channel_->input().substr(0, *size);
      channel_->consume(*size);
      auto head = parse_head(received.bytes, limits());
      if (!head) co_return Answer(tl::unexpect, head.error());
      received.head = std::move(*head);
      co_return Answer(std::move(received));
    }
    if (channel_->gone()) co_return Answer(tl::unexpect, quiet_end());
    if (channel_->expired()) {
      co_return Answer(tl::unexpect, Refusal{408, "the request head did not arrive in time"});
    }
    co_await channel_->changed().wait();
  }
}

// With `body` null the bytes are thrown away.
Task<std::optional<Refusal>> Connection::read_body(const Received& received, std::string* body,
                                                   std::size_t limit) {
  auto reader = BodyReader::open(received.bytes, limit);
  if (!reader) co_return std::optional<Refusal>(reader.error());
  if (!reader->done() && received.head.expects_continue && channel_->input().empty()) {
    channel_->send("HTTP/1.1 100 Continue\r\n\r\n");
    channel_->flush();
  }
  channel_->set_deadline(std::chrono::seconds(site_.context.options->body_timeout));
  while (!reader->done()) {
    const auto taken = reader->feed(channel_->input());
    if (!taken) co_return std::optional<Refusal>(taken.error());
    const bool stuck = *taken == 0 && channel_->input_full();
    channel_->consume(*taken);
    if (stuck) co_return std::optional<Refusal>(Refusal{400, "a chunk's size line is too long"});
    if (reader->done()) break;
    if (*taken > 0 && !channel_->input().empty()) continue;
    if (channel_->gone()) co_return std::optional<Refusal>(quiet_end());
    if (channel_->expired())
      co_return std::optional<Refusal>(Refusal{408, "the request body did not arrive in time"});
    co_await channel_->changed().wait();
  }
  if (body != nullptr) *body = reader->take();
  channel_->set_deadline(std::nullopt);
  co_return std::optional<Refusal>();
}

std::optional<Refusal> Connection::check(const Head& head, Route& route) const {
  const Request& request = head.request;
  const std::string_view host = request.header("host");
  if (!host.empty() && !site_.hosts.accepts_host(host)) {
    return Refusal{403,
                   "this server is not called '" + std::string(host.substr(0, 100)) +
                       "'; add the name to server.allowed_host if it should be",
                   "host_not_allowed"};
  }
  const std::string_view origin = request.header("origin");
  if (!origin.empty() && !site_.hosts.accepts_origin(origin, host)) {
    return Refusal{403,
                   "pages of '" + std::string(origin.substr(0, 100)) +
                       "' may not use this server; add the name to server.allowed_host if they should",
                   "origin_not_allowed"};
  }
  route = find_route(site_.endpoints, head.method, request.path);
  if (head.method == "OPTIONS" && !route.pattern.empty()) return std::nullopt;
  const bool open = route.endpoint && route.endpoint->access == pensieve::server::Access::everybody;
  if (!open && !site_.keys.open() && !site_.keys.accepts(key_of(request))) {
    const bool given = !key_of(request).empty();
    return Refusal{401,
                   given ? "the API key is not known here"
                         : "an API key is needed: send 'authorization: Bearer KEY' or 'x-api-key: KEY'",
                   "invalid_api_key",
                   {{"www-authenticate", "Bearer"}}};
  }
  if (route.pattern.empty()) {
    return Refusal{404, "there is nothing at '" + request.path.substr(0, 200) + "'", "unknown_path"};
  }
  if (!route.endpoint) {
    return Refusal{405,
                   head.method + " is not possible at '" + request.path + "'; use " + route.allow,
                   "method_not_allowed",
                   {{"allow", route.allow}}};
  }
  const std::string_view coding = request.header("content-encoding");
  if (!coding.empty() && coding != "identity") {
    return Refusal{
        415, "content-encoding '" + std::string(coding) + "' is not understood; send the body as it is"};
  }
  return std::nullopt;
}

void Connection::refuse(HttpExchange& exchange, const Refusal& refusal) const {
  const Error error{Error::Code::invalid, refusal.message, {}, refusal.code, {}};
  reply_status(exchange, refusal.status, error, refusal.headers);
}

void Connection::preflight(HttpExchange& exchange, const Route& route) const {
  std::vector<Header> headers{{"allow", route.allow + ", OPTIONS"}};
  if (!exchange.request().header("origin").empty()) {
    const std::string_view wanted = exchange.request().header("access-control-request-headers");
    headers.push_back({"access-control-allow-methods", route.allow + ", OPTIONS"});
    headers.push_back({"access-control-allow-headers", std::string(wanted.substr(0, 1000))});
    headers.push_back({"access-control-max-age", "600"});
  }
  exchange.reply(204, "", "", std::move(headers));
}

Task<void> Connection::answer(HttpExchange& exchange, const Route& route) {
  std::string problem;
  try {
    co_await route.endpoint->handle(exchange, site_.context);
  } catch (const std::exception& caught) {
    problem = caught.what();
  }
  exchange.on_cancel(nullptr);
  if (!problem.empty()) {
    site_.context.services.log.write(
        util::LogLevel::error, "endpoint_failed",
        {{"id", exchange.request().id}, {"route", route.pattern}, {"problem", problem}});
    if (exchange.replied()) exchange.abandon();
  }
  if (!exchange.replied() && exchange.cancelled() != Cancelled::client_gone) {
    reply_error(
        exchange,
        Error{Error::Code::internal, "the server made a mistake; its log has the details", {}, {}, {}});
  }
}

Task<bool> Connection::serve_one() {
  auto received = co_await read_head();
  const auto began = std::chrono::steady_clock::now();
  std::optional<Refusal> refusal;
  bool framed = received.has_value();  // the place where the next request begins is known
  if (!framed) refusal = received.error();
  if (refusal && refusal->status == kNothing) co_return false;

  const Counted counted(site_.context.answering);
  HttpExchange exchange(*channel_, framed ? std::move(received->head) : Head{});
  Route route;
  const std::string id = request_id(exchange.request());
  exchange.edit_request().id = id;
  exchange.edit_request().owner = site_.keys.owner(key_of(exchange.request()));
  exchange.add_header("x-request-id", id);
  if (speaks_anthropic(exchange.request())) exchange.add_header("request-id", id);
  if (framed) {
    received->head = exchange.head();
    refusal = check(exchange.head(), route);
    exchange.edit_request().parameters = std::move(route.parameters);
    const std::string origin(exchange.request().header("origin"));
    if (!refusal && !origin.empty()) {
      exchange.add_header("access-control-allow-origin", origin);
      exchange.add_header("access-control-expose-headers",
                          "x-request-id, request-id, x-pensieve-ignored-fields");
      exchange.add_header("vary", "origin");
    }
    const bool wanted = !refusal;
    const auto limit =
        wanted ? static_cast<std::size_t>(site_.context.options->max_body_bytes) : kDiscardBytes;
    if (wanted || !exchange.head().expects_continue) {
      std::string body;
      const auto problem = co_await read_body(*received, wanted ? &body : nullptr, limit);
      exchange.edit_request().body = std::move(body);
      framed = !problem;
      if (problem && problem->status == kNothing) co_return false;
      if (problem && wanted) refusal = problem;
    } else {
      framed = false;
    }
  }
  channel_->set_deadline(std::nullopt);
  const bool light =
      route.endpoint != nullptr && route.endpoint->access == pensieve::server::Access::everybody;
  if (!framed || draining_ || site_.context.draining || (for_health_ && !light)) exchange.close_after();
  exchange_ = &exchange;
  if (channel_->gone()) exchange.cancel(Cancelled::client_gone);
  if (refusal) {
    refuse(exchange, *refusal);
  } else if (exchange.head().method == "OPTIONS" && !route.endpoint) {
    preflight(exchange, route);
  } else {
    co_await answer(exchange, route);
  }
  co_await exchange.finish();
  exchange_ = nullptr;
  ++served_;
  record(exchange, route, std::chrono::steady_clock::now() - began);
  co_return exchange.keep_alive() && !draining_ && !channel_->gone();
}

void Connection::record(const HttpExchange& exchange, const Route& route,
                        std::chrono::nanoseconds took) const {
  const bool left = exchange.cancelled() == Cancelled::client_gone;
  const int status = left || !exchange.replied() ? 499 : exchange.status();
  const std::string& method = exchange.head().method;
  site_.context.counts.add(route.pattern, method, status, took);
  util::Log& log = site_.context.services.log;
  if (!log.enabled(util::LogLevel::info)) return;
  const Request& request = exchange.request();
  log.write(util::LogLevel::info, "request",
            {{"id", request.id},
             {"method", method},
             {"route", route.pattern.empty() ? std::string_view("unknown") : route.pattern},
             {"status", static_cast<std::int64_t>(status)},
             {"ms", std::chrono::duration<double, std::milli>(took).count()},
             {"bytes", static_cast<std::int64_t>(exchange.bytes())},
             {"tokens", exchange.tokens()}});
}

}  // namespace pensieve::server
