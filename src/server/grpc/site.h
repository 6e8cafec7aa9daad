// GrpcSite: what the services on the gRPC port share, and the functions that each of their files defines.
// gRPC's types are named here, never included.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/access.h"
#include "server/context.h"
#include "server/executor.h"

namespace grpc {
class CallbackServerContext;
class Service;
class Status;
}  // namespace grpc

namespace pensieve::server {

struct GrpcSite {
  Context& context;
  const KeyRing& keys;
  std::shared_ptr<Executor>
      lane;  // one thread, on which calls write: models' threads must not wait for the network
  std::shared_ptr<std::atomic<std::size_t>> calls = std::make_shared<std::atomic<std::size_t>>(0);
};

// Counts a call while it exists. Shares the number: models' callbacks may hold calls longer than the server
// lives.
class CallCount {
 public:
  explicit CallCount(const GrpcSite& site) : calls_(site.calls) { ++*calls_; }
  CallCount(const CallCount&) = delete;
  CallCount& operator=(const CallCount&) = delete;
  ~CallCount() { --*calls_; }

 private:
  const std::shared_ptr<std::atomic<std::size_t>> calls_;
};

// status.cpp
grpc::Status to_status(const Error& error);
Error broken_message();  // bytes that are no encoding of the method's request
// OK, or UNAUTHENTICATED without or with a wrong key.
grpc::Status check_key(const GrpcSite& site, const grpc::CallbackServerContext& call);
// Whose streams and sessions the call sees.
std::string key_owner(const GrpcSite& site, const grpc::CallbackServerContext& call);
std::string call_id(const grpc::CallbackServerContext& call);  // the client's x-request-id or one of ours

using Acquired = std::function<void(const Result<std::shared_ptr<Inference>>&)>;
// Finds a model; `done` runs on the lane, or never once the server has stopped.
void acquire_on_lane(GrpcSite& site, const std::string& name, Acquired done);

// What health tells; turned by drain.
class ServingState {
 public:
  virtual ~ServingState() = default;
  virtual void stop_serving() = 0;
  virtual void end_watches() = 0;  // so that the server can shut down
};

std::unique_ptr<grpc::Service> make_inference_service(GrpcSite& site);
std::unique_ptr<grpc::Service> make_open_inference_service(GrpcSite& site);
// `names`: the services that clients may ask about.
std::unique_ptr<grpc::Service> make_health_service(const std::vector<std::string>& names,
                                                   ServingState*& state);
std::vector<std::unique_ptr<grpc::Service>> make_reflection_services(const std::vector<std::string>& names);

}  // namespace pensieve::server
