// See listener.h. Each loop owns its connections; only counts are shared between threads.
#include "server/http/listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <set>
#include <thread>

#include "server/dialects/errors.h"
#include "server/http/loop.h"
#include "server/http/socket_channel.h"

namespace pensieve::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Problem = boost::system::error_code;

constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};
constexpr std::chrono::milliseconds kLastMoment{
    1500};  // for endpoints to say goodbye after they were cancelled

struct Lane {
  std::unique_ptr<Loop> loop = std::make_unique<Loop>();
  std::set<std::shared_ptr<Connection>> connections;  // loop's thread only
};

// A connection of which nothing was read yet: what comes first decides which thread serves it.
struct Arrival {
  tcp::socket socket;
  asio::steady_timer deadline;
};

// Whether a request for the state of the server begins here. Such a connection is served by a thread that
// does nothing else, so that no work of others can delay the answer.
bool asks_for_health(std::string_view begin) {
  for (const std::string_view method : {"GET ", "HEAD "}) {
    for (const std::string_view path : {"/livez", "/readyz", "/health", "/v1/health"}) {
      if (begin.starts_with(method) && begin.substr(method.size()).starts_with(path)) return true;
    }
  }
  return false;
}

class TcpListener final : public Listener {
 public:
  explicit TcpListener(const Site& site)
      : site_(site),
        lanes_(1 + static_cast<std::size_t>(std::max<std::int64_t>(1, site.context.options->http_threads))) {}
  ~TcpListener() override { stop(); }

  Problem bind(const tcp::endpoint& endpoint) {
    Problem problem;
    acceptor_.emplace(front().loop->context());
    acceptor_->open(endpoint.protocol(), problem);
    if (!problem) acceptor_->set_option(tcp::acceptor::reuse_address(true), problem);
    if (!problem) acceptor_->bind(endpoint, problem);
    if (!problem) acceptor_->listen(asio::socket_base::max_listen_connections, problem);
    if (!problem) bound_ = acceptor_->local_endpoint(problem);
    pause_.emplace(front().loop->context());
    return problem;
  }

  void begin() {
    accept();
    for (Lane& lane : lanes_) lane.loop->start();
  }

  std::string address() const override { return bound_.address().to_string(); }
  std::uint16_t port() const override { return bound_.port(); }
  std::size_t connections() const override { return open_.load(); }

  void drain() override {
    front().loop->executor()->post([this] { drop_arrivals(); });
    on_every_connection([](Connection& connection) { connection.drain(); });
  }

  void stop() override {
    if (stopped_.exchange(true)) return;
    front().loop->executor()->post([this] {
      Problem ignored;
      acceptor_->close(ignored);
      pause_->cancel();
      drop_arrivals();
    });
    on_every_connection([](Connection& connection) { connection.stop(); });
    const auto end = std::chrono::steady_clock::now() + kLastMoment;
    while (open_.load() > 0 && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    for (Lane& lane : lanes_) lane.loop->stop();
    for (Lane& lane : lanes_) lane.connections.clear();
    arrivals_.clear();
    Problem ignored;
    if (acceptor_) acceptor_->close(ignored);  // the loop may have ended before it came to it
  }

 private:
  Lane& front() { return lanes_.front(); }

  void on_every_connection(void (*call)(Connection&)) {
    for (Lane& lane : lanes_) {
      lane.loop->executor()->post([&lane, call] {
        const auto copy = lane.connections;  // a call may end its connection
        for (const auto& connection : copy) call(*connection);
      });
    }
  }

  void accept() {
    acceptor_->async_accept(front().loop->context(), [this](Problem problem, tcp::socket socket) {
      if (!acceptor_->is_open()) return;
      if (problem) return accept_later();
      if (open_.load() >= static_cast<std::size_t>(site_.context.options->max_connections)) {
        refuse(std::move(socket));
      } else {
        ++open_;
        await_first_bytes(std::move(socket));
      }
      accept();
    });
  }

  void await_first_bytes(tcp::socket socket) {
    auto arrival =
        std::make_shared<Arrival>(Arrival{std::move(socket), asio::steady_timer(front().loop->context())});
    arrivals_.insert(arrival);
    arrival->deadline.expires_after(std::chrono::seconds(site_.context.options->header_timeout));
    arrival->deadline.async_wait([this, arrival](Problem problem) {
      if (!problem) drop(arrival);
    });
    arrival->socket.async_wait(tcp::socket::wait_read, [this, arrival](Problem problem) {
      if (arrivals_.erase(arrival) == 0) return;  // dropped meanwhile
      arrival->deadline.cancel();
      if (problem) {
        --open_;
      } else {
        place(std::move(arrival->socket));
      }
    });
  }

  void drop(const std::shared_ptr<Arrival>& arrival) {
    if (arrivals_.erase(arrival) == 0) return;
    Problem ignored;
    arrival->socket.close(ignored);
    arrival->deadline.cancel();
    --open_;
  }
  void drop_arrivals() {
    const auto copy = arrivals_;
    for (const auto& arrival : copy) drop(arrival);
  }

  void place(tcp::socket socket) {
    char begin[32];
    const ssize_t count = ::recv(socket.native_handle(), begin, sizeof(begin), MSG_PEEK | MSG_DONTWAIT);
    if (asks_for_health({begin, static_cast<std::size_t>(std::max<ssize_t>(count, 0))}))
      return serve(front(), std::move(socket));
    Lane& lane = lanes_[1 + next_++ % (lanes_.size() - 1)];
    Problem problem;
    // A socket belongs to the loop it was made for: only its descriptor can move.
    const int descriptor = socket.release(problem);
    if (problem) {
      --open_;
      return;
    }
    lane.loop->executor()->post([this, &lane, descriptor] {
      Problem refused;
      tcp::socket moved(lane.loop->context());
      moved.assign(bound_.protocol(), descriptor, refused);
      if (refused) {
        ::close(descriptor);
        --open_;
      } else {
        serve(lane, std::move(moved));
      }
    });
  }

  // Out of file descriptors or the like: retrying at once would only spin.
  void accept_later() {
    pause_->expires_after(kPauseWithoutDescriptors);
    pause_->async_wait([this](Problem) {
      if (acceptor_->is_open()) accept();
    });
  }

  static void refuse(tcp::socket socket) {
    const Error error{
        Error::Code::unavailable, "too many open connections; try again later", {}, "connection_limit", {}};
    const std::string body = error_body(503, error);
    const std::string reply =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
        "connection: close\r\ncontent-length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    Problem ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(reply), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void serve(Lane& lane, tcp::socket socket) {
    const std::shared_ptr<const Options> options = site_.context.options.now();
    const auto input_bytes = static_cast<std::size_t>(options->max_header_bytes) + (16 << 10);
    auto channel = make_socket_channel(*lane.loop, std::move(socket), input_bytes,
                                       std::chrono::seconds(options->write_timeout));
    // The connection is named weakly by its own closure: an owning one would keep it alive for ever.
    auto self = std::make_shared<std::weak_ptr<Connection>>();
    auto connection = std::make_shared<Connection>(std::move(channel), site_, [this, &lane, self] {
      if (const auto ended = self->lock()) lane.connections.erase(ended);
      --open_;
    });
    *self = connection;
    lane.connections.insert(connection);
    if (&lane == &front()) connection->keep_for_health();
    connection->start();
  }

  const Site& site_;
  std::vector<Lane> lanes_;  // the first is kept free: it accepts, and answers questions of health
  std::set<std::shared_ptr<Arrival>> arrivals_;  // front's thread only
  std::optional<tcp::acceptor> acceptor_;
  std::optional<asio::steady_timer> pause_;
  tcp::endpoint bound_;
  std::atomic<std::size_t> open_ = 0;
  std::atomic<bool> stopped_ = false;
  std::size_t next_ = 0;  // front's thread only
};

// The addresses of the host, all of which may be listened on.
Result<std::vector<tcp::endpoint>> endpoints_of(const Options& options, bool may_be_public) {
  asio::io_context lookup;
  Problem problem;
  tcp::resolver resolver(lookup);
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, problem);
  if (problem || found.empty()) {
    return fail(Error::Code::invalid,
                "server.host: '" + options.host + "' is no address of this machine: " + problem.message(),
                "server.host");
  }
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) {
    endpoints.push_back(entry.endpoint());
    if (endpoints.back().address().is_loopback() || may_be_public) continue;
    return fail(Error::Code::invalid,
                "server.host: " + endpoints.back().address().to_string() +
                    " can be reached from other machines, so an API key is needed: set --api-key, or "
                    "listen on 127.0.0.1",
                "server.host");
  }
  return endpoints;
}

Error cannot_listen(const Options& options, const Problem& problem) {
  if (problem == boost::system::errc::address_not_available) {
    return Error{Error::Code::invalid,
                 "server.host: '" + options.host +
                     "' is no address of this machine; choose 127.0.0.1, or one that `ip address` lists",
                 "server.host",
                 {},
                 {}};
  }
  return Error{Error::Code::io,
               "cannot listen on " + options.host + " port " + std::to_string(options.port) + ": " +
                   problem.message() + "; choose another port (0: a free one)",
               "server.port",
               {},
               {}};
}

}  // namespace

Result<> Listener::check_host(const Options& options, bool may_be_public) {
  const auto endpoints = endpoints_of(options, may_be_public);
  if (!endpoints) return tl::unexpected(endpoints.error());
  return {};
}

Result<std::unique_ptr<Listener>> Listener::open(const Options& options, const Site& site,
                                                 bool may_be_public) {
  const auto endpoints = endpoints_of(options, may_be_public);
  if (!endpoints) return tl::unexpected(endpoints.error());
  auto listener = std::make_unique<TcpListener>(site);
  Problem problem;
  for (const tcp::endpoint& endpoint : *endpoints) {
    problem = listener->bind(endpoint);
    if (!problem) {
      listener->begin();
      return listener;
    }
  }
  return tl::unexpected(cannot_listen(options, problem));
}

}  // namespace pensieve::server
