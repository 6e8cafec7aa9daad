// grpc.health.v1.Health: serving from the start until the server is about to stop. Whether a model is loaded
// is another question: GET /readyz, or ModelReady of the Open Inference Protocol.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <set>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/grpc/site.h"

namespace pensieve::server {
namespace {

namespace health = ::grpc::health::v1;
using health::HealthCheckRequest;
using health::HealthCheckResponse;

class HealthService;

// One client that watches: told the state at once and at each change, until it leaves or the server ends.
class HealthWatch final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  HealthWatch(HealthService& service, bool known) : service_(service), known_(known) {}
  void begin();
  void tell(bool serving);
  void end();
  void OnWriteDone(bool ok) override;
  void OnCancel() override { end(); }
  void OnDone() override;

 private:
  HealthCheckResponse::ServingStatus status() const {
    if (!known_) return HealthCheckResponse::SERVICE_UNKNOWN;
    return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  }
  void write();  // with the lock held

  HealthService& service_;
  const bool known_;
  std::mutex mutex_;
  bool serving_ = true, writing_ = false, ended_ = false;  // guarded by mutex_
  HealthCheckResponse response_;
  HealthCheckResponse::ServingStatus told_ = HealthCheckResponse::UNKNOWN;
};

class HealthService final : public health::Health::CallbackService, public ServingState {
 public:
  explicit HealthService(const std::vector<std::string>& names) : names_(names) {}

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* call, const HealthCheckRequest* request,
                                  HealthCheckResponse* response) override {
    grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
    if (!known(request->service())) {
      reactor->Finish({grpc::StatusCode::NOT_FOUND, "no service of that name"});
      return reactor;
    }
    const std::lock_guard lock(mutex_);
    response->set_status(serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<HealthCheckResponse>* Watch(grpc::CallbackServerContext*,
                                                       const HealthCheckRequest* request) override {
    auto* watch = new HealthWatch(*this, known(request->service()));  // its OnDone deletes it
    const std::lock_guard lock(mutex_);
    watches_.insert(watch);
    watch->tell(serving_);
    if (closed_) watch->end();
    return watch;
  }

  void stop_serving() override {
    const std::lock_guard lock(mutex_);
    serving_ = false;
    for (HealthWatch* watch : watches_) watch->tell(false);
  }
  void end_watches() override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (HealthWatch* watch : watches_) watch->end();
  }
  void forget(HealthWatch* watch) {
    const std::lock_guard lock(mutex_);
    watches_.erase(watch);
  }

 private:
  bool known(const std::string& name) const {
    return name.empty() || std::find(names_.begin(), names_.end(), name) != names_.end();
  }
  const std::vector<std::string> names_;
  std::mutex mutex_;
  bool serving_ = true, closed_ = false;  // guarded by mutex_
  std::set<HealthWatch*> watches_;        // guarded by mutex_
};

void HealthWatch::write() {
  if (writing_ || ended_ || told_ == status()) return;
  writing_ = true;
  told_ = status();
  response_.set_status(told_);
  StartWrite(&response_);
}

void HealthWatch::tell(bool serving) {
  const std::lock_guard lock(mutex_);
  serving_ = serving;
  write();
}

void HealthWatch::end() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  Finish({grpc::StatusCode::CANCELLED, "the watch has ended"});
}

void HealthWatch::OnWriteDone(bool ok) {
  if (!ok) return end();
  const std::lock_guard lock(mutex_);
  writing_ = false;
  write();
}

void HealthWatch::OnDone() {
  service_.forget(this);
  delete this;
}

}  // namespace

std::unique_ptr<grpc::Service> make_health_service(const std::vector<std::string>& names,
                                                   ServingState*& state) {
  auto service = std::make_unique<HealthService>(names);
  state = service.get();
  return service;
}

}  // namespace pensieve::server
