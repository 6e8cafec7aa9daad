// See unary_call.h.
#include "server/grpc/unary_call.h"

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <utility>

namespace pensieve::server {
namespace {

class Unary final : public UnaryCall, public grpc::ServerUnaryReactor {
 public:
  explicit Unary(GrpcSite& site) : count_(site) {}
  void hold(std::shared_ptr<Unary> self) { self_ = std::move(self); }

  grpc::ServerUnaryReactor* reactor() override { return this; }
  void answer(const std::function<void()>& fill) override {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(ended_, true)) return;
      fill();
    }
    Finish(grpc::Status::OK);
  }
  void refuse(const Error& error) override { end(to_status(error)); }
  bool ended() const override {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  void on_cancel(std::function<void()> call) override {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        on_cancel_ = std::move(call);
        return;
      }
    }
    call();
  }
  void end(const grpc::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(ended_, true)) return;
    }
    Finish(status);
  }

  void OnCancel() override {
    std::function<void()> call;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      call = std::exchange(on_cancel_, nullptr);
    }
    if (call) call();
    end({grpc::StatusCode::CANCELLED, "the client has gone"});
  }
  void OnDone() override { const auto self = std::move(self_); }

 private:
  CallCount count_;
  std::shared_ptr<Unary> self_;  // until OnDone
  mutable std::mutex mutex_;
  bool ended_ = false, cancelled_ = false;  // guarded by mutex_
  std::function<void()> on_cancel_;         // guarded by mutex_
};

}  // namespace

std::shared_ptr<UnaryCall> UnaryCall::begin(GrpcSite& site, const grpc::CallbackServerContext& call) {
  auto made = std::make_shared<Unary>(site);
  made->hold(made);
  if (const grpc::Status allowed = check_key(site, call); !allowed.ok()) made->end(allowed);
  return made;
}

}  // namespace pensieve::server
