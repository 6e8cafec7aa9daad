// Events come on the engine's thread; they are handed over to the caller's, which also watches for Ctrl-C.
#include "tools/conversation.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "tools/terminal.h"

namespace pensieve::tools {
namespace {

// Shared by the sink, which the engine owns, and the thread that prints.
class Mailbox {
 public:
  void put(ReplyEvent event) {
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    arrived_.notify_one();
  }
  std::optional<ReplyEvent> take(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, patience, [this] { return !events_.empty(); })) return std::nullopt;
    ReplyEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<ReplyEvent> events_;
};

class MailboxSink final : public ReplySink {
 public:
  explicit MailboxSink(std::shared_ptr<Mailbox> mailbox) : mailbox_(std::move(mailbox)) {}
  void on_event(ReplyEvent event) override { mailbox_->put(std::move(event)); }

 private:
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace

Conversation::Conversation(Inference& model, Interrupts& interrupts, GenerationRequest settings, bool plain)
    : model_(model), interrupts_(interrupts), settings_(std::move(settings)), plain_(plain) {}

Result<Answer> Conversation::ask(std::variant<ChatRequest, std::string, std::vector<std::int32_t>> prompt) {
  constexpr std::chrono::milliseconds kLook{50};  // how often Ctrl-C is looked for
  GenerationRequest request = settings_;
  request.prompt = std::move(prompt);
  const auto mailbox = std::make_shared<Mailbox>();
  const GenerationId id = model_.submit(std::move(request), std::make_unique<MailboxSink>(mailbox));
  Answer answer;
  for (;;) {
    if (interrupts_.pending()) model_.cancel(id);
    std::optional<ReplyEvent> event = mailbox->take(kLook);
    if (!event) continue;
    if (auto* delta = std::get_if<TextDelta>(&event->what)) {
      const std::string shown = plain_ ? delta->text : harmless(delta->text);
      std::fwrite(shown.data(), 1, shown.size(), stdout);
      std::fflush(stdout);
      answer.text += delta->text;
    } else if (auto* finished = std::get_if<Finished>(&event->what)) {
      answer.reason = finished->reason;
      answer.usage = finished->usage;
      answer.timings = finished->timings;
      return answer;
    } else if (auto* failed = std::get_if<Failed>(&event->what)) {
      return tl::unexpected(std::move(failed->error));
    }
  }
}

}  // namespace pensieve::tools
