// See server.h.
#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "server/access.h"
#include "server/context.h"
#include "server/endpoint.h"
#include "server/grpc/grpc_server.h"
#include "server/http/listener.h"
#include "server/request_counts.h"
#include "server/sessions/response_store.h"
#include "server/sessions/session_store.h"
#include "server/streams/open_streams.h"

namespace pensieve::server {
namespace {

// Beside the models, unless told otherwise; in memory for who has no home.
std::string session_file(const Options& options) {
  if (!options.session_file.empty()) return options.session_file;
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? ":memory:" : std::string(home) + "/.pensieve/sessions.db";
}

}  // namespace

// In the order of construction; the listener goes first.
struct Server::Parts {
  Parts(const Options& wanted, manage::Services& services)
      : options(wanted),
        streams({.keep = std::chrono::seconds(wanted.resume_timeout),
                 .bytes = static_cast<std::size_t>(wanted.resume_bytes)}),
        sessions(session_file(wanted), services.log),
        responses(session_file(wanted), {.count = wanted.response_count, .bytes = wanted.response_bytes},
                  services.log),
        context{services, options, counts, streams, sessions, responses},
        keys(wanted.api_key),
        hosts(wanted.host, wanted.allowed_host) {}

  LiveOptions options;
  RequestCounts counts;
  OpenStreams streams;
  SessionStore sessions;
  ResponseStore responses;
  Context context;
  KeyRing keys;
  HostNames hosts;
  Site site{context, endpoints(), keys, hosts};
  std::unique_ptr<Listener> listener;
  std::unique_ptr<GrpcServer> grpc;  // null until asked for
  std::mutex mutex;
  std::chrono::steady_clock::time_point patience;  // guarded by mutex
  bool stopping = false;                           // guarded by mutex
  std::condition_variable changed;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() {
  stop(std::chrono::seconds(0));
}

Result<> Server::check(const Options& options) {
  // What an unset shell variable gives: taken literally it would open the server to everybody.
  if (std::count(options.api_key.begin(), options.api_key.end(), "") != 0) {
    return fail(Error::Code::invalid, "api_key is empty; give a key, or leave the option out", "api_key");
  }
  if (options.host.empty()) {
    return fail(Error::Code::invalid, "host is empty; give an address such as 127.0.0.1", "host");
  }
  return Listener::check_host(options, !options.api_key.empty());
}

Result<std::unique_ptr<Server>> Server::start(const Options& options, manage::Services& services) {
  if (Result<> usable = check(options); !usable) return tl::unexpected(usable.error());
  auto parts = std::make_unique<Parts>(options, services);
  auto listener = Listener::open(options, parts->site, !parts->keys.open());
  if (!listener) return tl::unexpected(listener.error());
  parts->listener = std::move(*listener);
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Result<> Server::open_grpc(std::int64_t port) {
  auto grpc = GrpcServer::start(parts_->listener->address(), port, parts_->context, parts_->keys);
  if (!grpc) return tl::unexpected(std::move(grpc.error()));
  parts_->grpc = std::move(*grpc);
  return {};
}

std::string Server::grpc_address() const {
  return parts_->grpc ? parts_->grpc->address() : std::string();
}

std::string Server::url() const {
  const std::string address = parts_->listener->address();
  const bool bracketed = address.find(':') != std::string::npos;
  return "http://" + (bracketed ? "[" + address + "]" : address) + ":" +
         std::to_string(parts_->listener->port());
}

void Server::configure(const Options& options) {
  parts_->options.replace(options);
  parts_->keys.replace(options.api_key);
  parts_->hosts.allow(options.allowed_host);
}

void Server::count_reload(bool succeeded) {
  ++(succeeded ? parts_->context.reloads : parts_->context.failed_reloads);
}

void Server::stop(std::chrono::seconds grace) {
  using Clock = std::chrono::steady_clock;
  // For requests whose bytes are still on their way: they are told, not cut off.
  constexpr std::chrono::milliseconds kLatecomers{200};
  const auto begun = Clock::now();
  std::unique_lock lock(parts_->mutex);
  if (parts_->stopping) {
    parts_->patience = std::min(parts_->patience, begun + grace);
    parts_->changed.notify_all();
    return;
  }
  parts_->stopping = true;
  parts_->patience = begun + grace;
  parts_->context.draining = true;
  parts_->listener->drain();
  if (parts_->grpc) parts_->grpc->drain();
  const auto open_until =
      begun + std::max<Clock::duration>(kLatecomers, std::chrono::seconds(parts_->options->drain_delay));
  const auto busy = [&] {
    if (parts_->context.answering.load() > 0 || (parts_->grpc && parts_->grpc->calls() > 0)) return true;
    const bool delayed = parts_->options->drain_delay > 0;
    return Clock::now() < open_until && (delayed || parts_->listener->connections() > 0);
  };
  // Looked at now and then: requests end on other threads, which should not have to know of this.
  while (busy() && Clock::now() < parts_->patience)
    parts_->changed.wait_for(lock, std::chrono::milliseconds(20));
  lock.unlock();
  parts_->listener->stop();
  if (parts_->grpc) parts_->grpc->stop();
}

}  // namespace pensieve::server
