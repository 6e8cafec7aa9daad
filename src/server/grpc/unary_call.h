// UnaryCall: a gRPC call with one answer that comes later, from whatever thread, unless the client leaves
// first.
#pragma once

#include <functional>
#include <memory>

#include "server/grpc/site.h"

namespace grpc {
class ServerUnaryReactor;
}

namespace pensieve::server {

// Thread rule: any thread. What the answer is written to may only be touched inside `fill`: a call that has
// ended has taken it away.
class UnaryCall {
 public:
  // Checks the key; a call without the right one has ended when this returns.
  static std::shared_ptr<UnaryCall> begin(GrpcSite& site, const grpc::CallbackServerContext& call);
  virtual ~UnaryCall() = default;

  virtual grpc::ServerUnaryReactor* reactor() = 0;  // for gRPC, once
  // The first of these ends the call, later ones do nothing.
  virtual void answer(const std::function<void()>& fill) = 0;
  virtual void refuse(const Error& error) = 0;
  virtual bool ended() const = 0;
  // Called once if the client leaves or its deadline passes, at once if that has happened.
  virtual void on_cancel(std::function<void()> call) = 0;
};

}  // namespace pensieve::server
