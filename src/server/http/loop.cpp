// See loop.h.
#include "server/http/loop.h"

#include <boost/asio/post.hpp>
#include <mutex>

namespace pensieve::server {

// Apart from the loop, because a handler waiting in the io_context may own an executor but must not own its
// io_context.
class Loop::Poster final : public Executor {
 public:
  explicit Poster(boost::asio::io_context& context) : context_(&context) {}
  void post(std::function<void()> work) override {
    const std::lock_guard lock(mutex_);
    if (context_ != nullptr) boost::asio::post(*context_, std::move(work));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
  }

 private:
  std::mutex mutex_;
  boost::asio::io_context* context_;  // guarded by mutex_
};

Loop::Loop()
    : guard_(boost::asio::make_work_guard(context_)),
      poster_(std::make_shared<Poster>(context_)),
      executor_(poster_) {}

Loop::~Loop() {
  stop();
}

void Loop::start() {
  thread_ = std::thread([this] { context_.run(); });
}

void Loop::stop() {
  poster_->close();
  guard_.reset();
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace pensieve::server
