// GatewayChannel: a worker's way out: messages of all its threads, written by one, so that whoever sends
// never waits. What is sent while a write is under way goes out with the next one: the events of a step
// travel together.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/inference.h"
#include "manage/wire/messages.h"

namespace pensieve::manage {

// Thread rule: any thread may send. The model's counters are read with the channel's lock held, so a model
// must not deliver events with a lock that its stats() takes.
class GatewayChannel {
 public:
  // `lively`: signs of life are sent also while nothing else is.
  GatewayChannel(int socket, bool lively) : socket_(socket), lively_(lively), thread_([this] { run(); }) {}
  GatewayChannel(const GatewayChannel&) = delete;
  GatewayChannel& operator=(const GatewayChannel&) = delete;
  ~GatewayChannel();  // writes what is left

  // False when the message is too large for a frame.
  bool send(const wire::ToGateway& message);
  // From then on counters are told as they change, and in order with the other messages.
  void watch(const Inference& model);
  // Tells the counters now, when they have changed.
  void send_stats();

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  void append_stats(bool always);  // with mutex_ held
  bool write_all(const std::string& bytes) const;

  const int socket_;
  const bool lively_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string unsent_;                // guarded by mutex_
  bool stop_ = false, idle_ = false;  // guarded by mutex_; idle_: the thread waits
  const Inference* model_ = nullptr;  // guarded by mutex_
  std::string told_;                  // guarded by mutex_: the last frame of counters
  Clock::time_point told_at_{};       // guarded by mutex_
  std::thread thread_;                // last
};

}  // namespace pensieve::manage
