// GrpcServer: the gRPC port: pensieve.v1, the Open Inference Protocol, health and reflection over the same
// models and streams as HTTP. No header of ours includes gRPC: this one is all that others see.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "server/access.h"
#include "server/context.h"

namespace pensieve::server {

// Thread rule: any thread. The context and the keys outlive it.
class GrpcServer {
 public:
  // Listens on `host`, a numeric address that HTTP listens on too, at the context's grpc_port (0: a free
  // one).
  static Result<std::unique_ptr<GrpcServer>> start(const std::string& host, std::int64_t port,
                                                   Context& context, const KeyRing& keys);
  virtual ~GrpcServer() = default;
  virtual std::string address() const = 0;  // "127.0.0.1:7778"
  // Health says NOT_SERVING; calls under way go on.
  virtual void drain() = 0;
  virtual std::size_t calls() const = 0;  // under way, other than those that only watch
  // Cancels what still runs and waits until every call has ended.
  virtual void stop() = 0;
};

}  // namespace pensieve::server
