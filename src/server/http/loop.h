// Loop: one thread that serves connections: an io_context and the executor interface to it.
// Includes the network library: only the few files that touch sockets may include this.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <thread>

#include "server/executor.h"

namespace pensieve::server {

// Thread rule: start and stop from the owner's thread, which is not the loop's.
class Loop {
 public:
  Loop();
  ~Loop();
  void start();
  void stop();  // ends the thread; what is posted later is dropped
  boost::asio::io_context& context() { return context_; }
  // May outlive the loop: engines hold it until their last event.
  const std::shared_ptr<Executor>& executor() const { return executor_; }

 private:
  class Poster;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::shared_ptr<Poster> poster_;
  std::shared_ptr<Executor> executor_;
  std::thread thread_;
};

}  // namespace pensieve::server
