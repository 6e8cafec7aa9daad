// See generation_stream.h.
#include "server/streams/generation_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/random_id.h"
#include "server/sessions/session_store.h"
#include "server/wall_clock.h"

namespace pensieve::server {
namespace {

// Events that may wait one by one; with more, what is new is appended to the newest.
constexpr std::uint64_t kSeparate = 64;

}  // namespace

class GenerationStream::Sink final : public ReplySink {
 public:
  explicit Sink(std::shared_ptr<GenerationStream> stream) : stream_(std::move(stream)) {}
  void on_event(ReplyEvent event) override { stream_->on_event(std::move(event)); }

 private:
  std::shared_ptr<GenerationStream> stream_;
};

GenerationStream::GenerationStream(std::string id, std::string owner, bool resumable)
    : id_(std::move(id)),
      owner_(std::move(owner)),
      token_(random_id("evt_", 16)),
      resumable_(resumable),
      created_(seconds_now()) {}

std::string GenerationStream::event_id(std::uint64_t sequence) const {
  return token_ + "_" + std::to_string(sequence);
}

void GenerationStream::name_model(std::string model) {
  const std::lock_guard lock(mutex_);
  model_name_ = std::move(model);
}

void GenerationStream::hold(std::shared_ptr<SessionTurn> turn) {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::waiting) turn_ = std::move(turn);
}

void GenerationStream::submit(std::shared_ptr<Inference> model, GenerationRequest request) {
  {
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::waiting) return;
    phase_ = Phase::running;
    model_ = model;
    model_name_ = model->info().name;
  }
  const GenerationId generation =
      model->submit(std::move(request), std::make_unique<Sink>(shared_from_this()));
  bool cancelled = false;
  {
    const std::lock_guard lock(mutex_);
    generation_ = generation;
    cancelled = cancelled_ && phase_ == Phase::running;
  }
  if (cancelled) model->cancel(generation);
}

void GenerationStream::refuse(Error error) {
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::waiting) return;
  const Wake wake = end(std::move(error));
  lock.unlock();
  if (wake) wake();
}

void GenerationStream::cancel() {
  std::unique_lock lock(mutex_);
  if (phase_ == Phase::ended || std::exchange(cancelled_, true)) return;
  if (phase_ == Phase::running) {
    const std::shared_ptr<Inference> model = model_;
    const std::optional<GenerationId> generation = generation_;
    lock.unlock();
    if (generation) model->cancel(*generation);  // else `submit` sees the wish
    return;
  }
  append(StreamCreated{model_name_, created_});
  const Wake wake = end(StreamDone{FinishReason::cancelled, {}});
  lock.unlock();
  if (wake) wake();
}

// Comes back with the end of the generation, or why it could not be kept.
void GenerationStream::keep_turn(Finished finished, std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<SessionTurn> turn = std::exchange(turn_, nullptr);
  lock.unlock();
  turn->commit([self = shared_from_this(),
                finished = std::move(finished)](const Result<std::vector<SessionMessage>>& kept) {
    if (kept) return self->on_event({0, finished});
    self->on_event({0, Failed{kept.error()}});
  });
}

void GenerationStream::on_event(ReplyEvent event) {
  std::shared_ptr<Inference> released;  // destroyed after the lock
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::running) return;
  if (turn_) {
    turn_->record(event);
    auto* finished = std::get_if<Finished>(&event.what);
    if (finished != nullptr && finished->reason != FinishReason::cancelled)
      return keep_turn(std::move(*finished), lock);
  }
  Wake wake;
  if (std::holds_alternative<Started>(event.what)) {
    append(StreamCreated{model_name_, created_});
  } else if (auto* text = std::get_if<TextDelta>(&event.what)) {
    if (!text->text.empty()) append(StreamText{std::move(text->text), text->reasoning});
  } else if (auto* call = std::get_if<ToolCallDelta>(&event.what)) {
    append(std::move(*call));
  } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
    released = model_;
    if (written_ == 0) append(StreamCreated{model_name_, created_});  // cancelled before it was admitted
    if (finished->reason == FinishReason::cancelled && !cancelled_) {
      wake = end(Error{Error::Code::unavailable,
                       "the model was stopped before the answer was complete; try again",
                       {},
                       "generation_stopped",
                       {}});
    } else {
      wake = end(StreamDone{finished->reason, finished->usage});
    }
  } else if (auto* failed = std::get_if<Failed>(&event.what)) {
    released = model_;
    wake = end(std::move(failed->error));
  }
  if (!wake) wake = take_wake();
  lock.unlock();
  if (wake) wake();
}

bool GenerationStream::may_join() const {
  return written_ > taken_ && written_ - cursor_ >= kSeparate;
}

bool GenerationStream::join(StreamText& more) {
  auto* last = may_join() ? std::get_if<StreamText>(&log_.back().what) : nullptr;
  if (last == nullptr || last->reasoning != more.reasoning) return false;
  last->text += more.text;
  bytes_ += more.text.size();
  return true;
}

bool GenerationStream::join(ToolCallDelta& more) {
  auto* last = may_join() ? std::get_if<ToolCallDelta>(&log_.back().what) : nullptr;
  if (last == nullptr || last->index != more.index || !more.id.empty()) return false;
  last->arguments += more.arguments;
  bytes_ += more.arguments.size();
  return true;
}

void GenerationStream::append(
    std::variant<StreamCreated, StreamText, ToolCallDelta, StreamDone, Error> what) {
  if (auto* text = std::get_if<StreamText>(&what); text && join(*text)) return;
  if (auto* call = std::get_if<ToolCallDelta>(&what); call && join(*call)) return;
  log_.push_back({++written_, std::move(what)});
  bytes_ += size_of(log_.back());
}

std::size_t GenerationStream::size_of(const StreamEvent& event) {
  std::size_t bytes = sizeof(StreamEvent);
  if (const auto* text = std::get_if<StreamText>(&event.what)) bytes += text->text.size();
  if (const auto* call = std::get_if<ToolCallDelta>(&event.what))
    bytes += call->id.size() + call->name.size() + call->arguments.size();
  if (const auto* error = std::get_if<Error>(&event.what)) bytes += error->what.size();
  return bytes;
}

GenerationStream::Wake GenerationStream::end(std::variant<StreamDone, Error> how) {
  phase_ = Phase::ended;
  model_.reset();
  turn_.reset();  // first: who hears of the end may go on with the session
  std::visit([this](auto& value) { append(std::move(value)); }, how);
  return take_wake();
}

GenerationStream::Wake GenerationStream::take_wake() {
  if (!wake_ || written_ == cursor_ || std::exchange(woken_, true)) return nullptr;
  return wake_;
}

Result<GenerationStream::Reader> GenerationStream::attach(std::uint64_t after, Wake wake) {
  std::unique_lock lock(mutex_);
  const std::uint64_t first = log_.empty() ? written_ + 1 : log_.front().sequence;
  if (after > taken_ || after + 1 < first) {
    return fail(Error::Code::invalid,
                fmt::format("after is {}; of generation '{}' the events {} to {} can be sent again", after,
                            id_.substr(0, 100), first, taken_),
                "after", "invalid_request");
  }
  const Wake displaced = std::exchange(wake_, std::move(wake));
  reader_ = ++readers_;
  cursor_ = after;
  woken_ = false;
  const Reader reader = reader_;
  lock.unlock();
  if (displaced) displaced();
  return reader;
}

void GenerationStream::detach(Reader reader) {
  Wake dropped;  // what it holds may hold this stream: let go after the lock
  const std::lock_guard lock(mutex_);
  if (reader != reader_) return;
  reader_ = 0;
  dropped = std::exchange(wake_, nullptr);
}

bool GenerationStream::attached(Reader reader) const {
  const std::lock_guard lock(mutex_);
  return reader == reader_;
}

std::optional<StreamEvent> GenerationStream::next(Reader reader) {
  const std::lock_guard lock(mutex_);
  if (reader != reader_) return std::nullopt;
  if (cursor_ == written_) {
    woken_ = false;
    return std::nullopt;
  }
  const std::uint64_t sequence = ++cursor_;
  taken_ = std::max(taken_, cursor_);
  const std::size_t at = sequence - log_.front().sequence;
  if (resumable_) return log_[at];
  StreamEvent event = std::move(log_.front());  // nobody can come back for it
  bytes_ -= size_of(event);
  log_.pop_front();
  return event;
}

bool GenerationStream::ended() const {
  const std::lock_guard lock(mutex_);
  return phase_ == Phase::ended;
}

std::size_t GenerationStream::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace pensieve::server
