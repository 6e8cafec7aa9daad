// See reply_queue.h.
#include "server/reply_queue.h"

#include <iterator>
#include <utility>

namespace pensieve::server {
namespace {

// Events kept one by one; with more waiting, text of the same choice is appended to the last event.
constexpr std::size_t kSeparate = 64;

class QueueSink final : public ReplySink {
 public:
  QueueSink(std::shared_ptr<ReplyQueue> queue, std::size_t generation)
      : queue_(std::move(queue)), generation_(generation) {}
  void on_event(ReplyEvent event) override { queue_->push({generation_, std::move(event)}); }

 private:
  std::shared_ptr<ReplyQueue> queue_;
  std::size_t generation_;
};

}  // namespace

std::unique_ptr<ReplySink> ReplyQueue::sink(std::size_t generation) {
  return std::make_unique<QueueSink>(shared_from_this(), generation);
}

bool ReplyQueue::join(GenerationEvent& event) {
  if (events_.size() < kSeparate) return false;
  auto* more = std::get_if<TextDelta>(&event.event.what);
  if (more == nullptr) return false;
  for (auto entry = events_.rbegin(); entry != events_.rend(); ++entry) {
    if (entry->generation != event.generation || entry->event.choice != event.event.choice) continue;
    auto* last = std::get_if<TextDelta>(&entry->event.what);
    if (last == nullptr || last->reasoning != more->reasoning) return false;
    last->text += more->text;
    last->tokens += more->tokens;
    std::move(more->logprobs.begin(), more->logprobs.end(), std::back_inserter(last->logprobs));
    return true;
  }
  return false;
}

void ReplyQueue::push(GenerationEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    if (!join(event)) events_.push_back(std::move(event));
    if (std::exchange(woken_, true)) return;
  }
  executor_->post([weak = weak_from_this()] {
    if (const auto queue = weak.lock()) queue->arrived_.fire();
  });
}

void ReplyQueue::take(std::vector<GenerationEvent>& batch) {
  batch.clear();
  const std::lock_guard lock(mutex_);
  batch.swap(events_);
  woken_ = false;
}

void ReplyQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  events_.clear();
}

}  // namespace pensieve::server
