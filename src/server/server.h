// Server: the API server as a whole: listens, serves the endpoints over the services it is given, stops
// gracefully.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/result.h"
#include "manage/services.h"
#include "server/options.h"

namespace pensieve::server {

// Thread rule: any thread. `services` outlives the server, and callbacks may still come from it after the
// server's end.
class Server {
 public:
  // Whether `start` could use these options on this machine, but for the port's being free.
  static Result<> check(const Options& options);
  // Listens and serves when this returns. Errors: an address that is not free or not ours, a public address
  // without key.
  static Result<std::unique_ptr<Server>> start(const Options& options, manage::Services& services);
  ~Server();
  // Also listens for gRPC, on the same address; port 0: a free one. Once, before any stop.
  Result<> open_grpc(std::int64_t port);
  std::string grpc_address() const;  // "127.0.0.1:7778"; empty without gRPC
  std::string url() const;           // "http://127.0.0.1:7777", with the port that was really bound
  // Puts other options in force, of those that need no restart; found good by `check` before.
  void configure(const Options& options);
  void count_reload(bool succeeded);  // for /metrics
  // Takes no new work (readiness fails at once, health and errors are still answered), waits up to `grace`
  // for running requests, then cancels them. Blocks. A second call from another thread with a shorter grace
  // shortens the wait.
  void stop(std::chrono::seconds grace);

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace pensieve::server
