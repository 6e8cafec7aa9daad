// The writing thread.
#include "manage/worker/gateway_channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace pensieve::manage {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{50};    // between two looks at the counters
constexpr milliseconds kLife{1000};  // between two signs of life when they do not change
constexpr std::size_t kMostUnsent = std::size_t{512} << 20;

}  // namespace

GatewayChannel::~GatewayChannel() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool GatewayChannel::send(const wire::ToGateway& message) {
  bool notify = false;
  {
    const std::lock_guard lock(mutex_);
    if (!wire::append_frame(message, unsent_)) return false;
    if (unsent_.size() > kMostUnsent) _exit(1);  // the gateway has stopped reading for good
    notify = std::exchange(idle_, false);
  }
  if (notify) changed_.notify_one();
  return true;
}

void GatewayChannel::watch(const Inference& model) {
  const std::lock_guard lock(mutex_);
  model_ = &model;
}

void GatewayChannel::send_stats() {
  const std::lock_guard lock(mutex_);
  append_stats(false);
}

void GatewayChannel::append_stats(bool always) {
  std::string frame;
  wire::append_frame(wire::Stats{model_ == nullptr ? InferenceStats{} : model_->stats()}, frame);
  if (!always && frame == told_) return;
  unsent_ += frame;
  told_ = std::move(frame);
  told_at_ = Clock::now();
}

void GatewayChannel::run() {
  std::string sending;
  Clock::time_point looked{};
  std::unique_lock lock(mutex_);
  for (;;) {
    if (unsent_.empty() && !stop_) {
      idle_ = true;
      changed_.wait_for(lock, kLook, [this] { return stop_ || !idle_; });
      idle_ = false;
    }
    if (const Clock::time_point now = Clock::now(); lively_ && !stop_ && now - looked >= kLook) {
      looked = now;
      append_stats(now - told_at_ >= kLife);
    }
    if (unsent_.empty() && stop_) return;
    sending.swap(unsent_);
    lock.unlock();
    if (!write_all(sending)) return;
    sending.clear();
    lock.lock();
  }
}

bool GatewayChannel::write_all(const std::string& bytes) const {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::send(socket_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;  // the reading side ends the process
    done += static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace pensieve::manage
