// Listener: accepts TCP connections and hands them to connections on the loops, in turn.
// Free of the network library, so that server.cpp is too.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "server/http/connection.h"
#include "server/options.h"

namespace pensieve::server {

// Thread rule: any thread; stop once.
class Listener {
 public:
  // What `open` would say of the host, without listening.
  static Result<> check_host(const Options& options, bool may_be_public);
  // Binds at once; serves from then on. Refuses a public address unless `may_be_public`.
  static Result<std::unique_ptr<Listener>> open(const Options& options, const Site& site, bool may_be_public);
  virtual ~Listener() = default;
  virtual std::string address() const = 0;  // numeric, IPv6 without brackets
  virtual std::uint16_t port() const = 0;
  // Idle connections close, the others end after their request, new ones too.
  virtual void drain() = 0;
  virtual std::size_t connections() const = 0;
  // Stops accepting, cancels what still runs, gives it a moment, and ends the threads.
  virtual void stop() = 0;
};

}  // namespace pensieve::server
