// ReplyQueue: carries events of generations from the models' threads to the executor of the exchange that
// waits for them. One wake-up brings all that has come; a consumer that falls behind finds adjacent text
// joined.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "core/inference.h"
#include "server/executor.h"
#include "server/task.h"

namespace pensieve::server {

struct GenerationEvent {
  std::size_t generation = 0;  // which of the consumer's generations
  ReplyEvent event;
};

class ReplyQueue : public std::enable_shared_from_this<ReplyQueue> {
 public:
  explicit ReplyQueue(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}

  // The sink to submit with; it holds the queue alive.
  std::unique_ptr<ReplySink> sink(std::size_t generation);
  void push(GenerationEvent event);  // any thread

  // The executor's thread: replaces `batch` by all events that came since the last call.
  void take(std::vector<GenerationEvent>& batch);
  Signal& arrived() { return arrived_; }
  void close();  // nobody will take any more: later events are dropped

 private:
  bool join(GenerationEvent& event);
  const std::shared_ptr<Executor> executor_;
  Signal arrived_;  // executor's thread only
  std::mutex mutex_;
  std::vector<GenerationEvent> events_;  // guarded by mutex_
  bool woken_ = false, closed_ = false;  // guarded by mutex_
};

}  // namespace pensieve::server
