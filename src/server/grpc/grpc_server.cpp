// See grpc_server.h.
#include "server/grpc/grpc_server.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <limits>

#include "server/grpc/lane.h"
#include "server/grpc/site.h"

namespace pensieve::server {
namespace {

constexpr int kStreamsPerConnection = 256;
constexpr int kPingMilliseconds = 30'000, kPongMilliseconds = 20'000;
constexpr std::size_t kQuotaBytes = 256 << 20;  // of buffers, over all connections

int to_int(std::int64_t value) {
  return static_cast<int>(std::min<std::int64_t>(value, std::numeric_limits<int>::max()));
}

// The library answers a message that it cannot read with UNIMPLEMENTED and no word, as if there were no such
// method. Nothing of ours ends like that, so it can be told for what it is.
class BrokenMessages final : public grpc::experimental::Interceptor {
 public:
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS)) {
      const grpc::Status status = methods->GetSendStatus();
      if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty()) {
        methods->ModifySendStatus({grpc::StatusCode::INVALID_ARGUMENT,
                                   "the message is not a valid encoding of the method's request"});
      }
    }
    methods->Proceed();
  }
};

class BrokenMessagesFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* call) override {
    return is_ours(call->method()) ? new BrokenMessages : nullptr;  // the call owns it
  }

 private:
  // "/pensieve.v1.Inference/Chat": a method of a protocol of this program.
  static bool is_ours(std::string_view path) {
    if (!path.starts_with('/')) return false;
    std::string name(path.substr(1));
    std::replace(name.begin(), name.end(), '/', '.');
    return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name) != nullptr;
  }
};

class RunningServer final : public GrpcServer {
 public:
  RunningServer(Context& context, const KeyRing& keys) : site_{context, keys, lane_} {
    const std::vector<std::string> names{"pensieve.v1.Inference", "inference.GRPCInferenceService",
                                         "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                         "grpc.reflection.v1alpha.ServerReflection"};
    services_ = make_reflection_services(names);
    services_.push_back(make_inference_service(site_));
    services_.push_back(make_open_inference_service(site_));
    services_.push_back(make_health_service(names, serving_));
  }
  ~RunningServer() override { stop(); }

  Result<> listen(const std::string& host, std::int64_t port) {
    const std::shared_ptr<const Options> live = site_.context.options.now();
    const Options& options = *live;
    const bool bracketed = host.find(':') != std::string::npos;
    const std::string name = bracketed ? "[" + host + "]" : host;
    const std::string wanted = fmt::format("{}:{}", name, port);
    grpc::ServerBuilder builder;
    int bound = 0;
    builder.AddListeningPort(wanted, grpc::InsecureServerCredentials(), &bound);
    for (const auto& service : services_) builder.RegisterService(service.get());
    builder.SetMaxReceiveMessageSize(to_int(options.max_body_bytes));
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT,
                               0);  // a port in use is an error, not a second server
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, to_int(options.max_header_bytes));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMilliseconds);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPongMilliseconds);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(std::make_unique<BrokenMessagesFactory>());
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    grpc::ResourceQuota quota("pensieve");
    quota.Resize(std::max(kQuotaBytes, 4 * static_cast<std::size_t>(options.max_body_bytes)));
    builder.SetResourceQuota(quota);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || bound <= 0) {
      return fail(
          Error::Code::io,
          fmt::format("cannot listen for gRPC on {}: the port is in use or not ours; choose another with "
                      "--grpc-port (0: a free one)",
                      wanted),
          "server.grpc_port");
    }
    address_ = fmt::format("{}:{}", name, bound);
    return {};
  }

  std::string address() const override { return address_; }
  void drain() override { serving_->stop_serving(); }
  std::size_t calls() const override { return *site_.calls; }
  void stop() override {
    if (server_) {
      serving_->end_watches();
      server_->Shutdown(std::chrono::system_clock::now());
      server_->Wait();
      server_.reset();
    }
    lane_->stop();
  }

 private:
  const std::shared_ptr<Lane> lane_ = std::make_shared<Lane>();
  GrpcSite site_;
  ServingState* serving_ = nullptr;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const std::string& host, std::int64_t port,
                                                      Context& context, const KeyRing& keys) {
  auto server = std::make_unique<RunningServer>(context, keys);
  if (auto listening = server->listen(host, port); !listening)
    return tl::unexpected(std::move(listening.error()));
  return server;
}

}  // namespace pensieve::server
