// From calls to messages and from messages to sinks and callbacks.
#include "manage/worker/worker_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pensieve::manage {

Result<std::unique_ptr<WorkerInference>> WorkerInference::start(WorkerOrder order, util::Log& log) {
  std::unique_ptr<WorkerInference> inference(new WorkerInference(order));
  LinkOwner& owner = *inference;
  inference->link_ =
      std::make_unique<Link>(LinkOptions{order.launch, order.load.name, order.silence}, owner, log);
  if (Result<> loaded = inference->await_load(order); !loaded)
    return tl::unexpected(std::move(loaded.error()));
  return inference;
}

Result<> WorkerInference::await_load(const WorkerOrder& order) {
  // Unsent when the process is gone already: that it is, settles the load.
  if (Result<> sent = link_->send(order.load); !sent) settle(std::move(sent));
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, order.loading, [this] { return loaded_.has_value(); })) return *loaded_;
  return fail(Error::Code::unavailable,
              fmt::format("model '{}' was not loaded within {} s and was given up; see load_timeout",
                          order.load.name, order.loading.count() / 1000),
              "model", "load_timeout");
}

WorkerInference::~WorkerInference() {
  link_.reset();
}

void WorkerInference::send(std::uint64_t id, const wire::ToWorker& message) {
  if (Result<> sent = link_->send(message); !sent)
    link_->post([this, id, why = std::move(sent.error())] { outstanding_.fail(id, why); });
}

GenerationId WorkerInference::submit(GenerationRequest request, std::unique_ptr<ReplySink> sink) {
  const GenerationId id = outstanding_.add(request, info_.effective_context, std::move(sink));
  send(id, wire::Submit{id, std::move(request)});
  return id;
}

void WorkerInference::cancel(GenerationId id) {
  // A worker that is gone has ended it already.
  (void)link_->send(wire::Cancel{id});
}

template <class Message, class Answered>
void WorkerInference::ask(Message message, Answered done, std::size_t inputs) {
  message.id = outstanding_.ask(std::move(done), inputs);
  send(message.id, std::move(message));
}

void WorkerInference::render(ChatRequest request, Done<std::string> done) {
  ask(wire::Render{0, std::move(request)}, std::move(done));
}
void WorkerInference::count(ChatRequest request, Done<std::int64_t> done) {
  ask(wire::Count{0, std::move(request)}, std::move(done));
}
void WorkerInference::tokenize(std::string text, EncodeOptions options, Done<TokenizedText> done) {
  ask(wire::Tokenize{0, std::move(text), options}, std::move(done));
}
void WorkerInference::detokenize(std::vector<std::int32_t> tokens, Done<std::string> done) {
  ask(wire::Detokenize{0, std::move(tokens)}, std::move(done));
}
void WorkerInference::embed(EmbeddingRequest request, Done<Embeddings> done) {
  const std::size_t inputs = request.inputs.size();
  ask(wire::Embed{0, std::move(request)}, std::move(done), inputs);
}

InferenceStats WorkerInference::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

Result<> WorkerInference::receive(wire::ToGateway message, std::size_t bytes) {
  if (auto* event = std::get_if<wire::Event>(&message)) {
    Result<> received = outstanding_.receive(std::move(*event), bytes);
    for (const GenerationId id : outstanding_.take_unheard()) cancel(id);
    return received;
  }
  if (auto* stats = std::get_if<wire::Stats>(&message)) return take(*stats);
  if (auto* answer = std::get_if<wire::Answer>(&message)) return outstanding_.receive(std::move(*answer));
  if (auto* ready = std::get_if<wire::Ready>(&message)) return take(std::move(*ready));
  if (auto* failed = std::get_if<wire::LoadFailed>(&message)) return take(std::move(*failed));
  return fail(Error::Code::invalid, "a message that is not for a loaded model");
}

Result<> WorkerInference::take(wire::Ready ready) {
  if (alive()) return fail(Error::Code::invalid, "it is ready twice");
  if (ready.info.effective_context < 0) return fail(Error::Code::invalid, "a context below nothing");
  info_ = std::move(ready.info);
  alive_.store(true, std::memory_order_release);
  settle({});
  return {};
}

Result<> WorkerInference::take(wire::LoadFailed failed) {
  settle(tl::unexpected(std::move(failed.error)));
  return {};
}

// Generations must step. Questions must be answered, but those for vectors also go on by steps, and what is
// read for generations delays those about text, which steps tell too.
bool WorkerInference::stalled(const InferenceStats& stats) {
  const Clock::time_point now = Clock::now();
  const bool idle = stats.running <= 0 && stats.waiting <= 0;
  if (stats.steps != std::exchange(steps_, stats.steps)) stepped_ = worked_ = now;
  if (idle) stepped_ = now;
  const auto for_long = [&](const std::optional<Clock::time_point>& since) {
    return since && now - std::max(*since, worked_) > stall_;
  };
  const Outstanding::Waits waits = outstanding_.waits();
  return now - stepped_ > stall_ || for_long(waits.text) || for_long(waits.vectors);
}

Result<> WorkerInference::take(const wire::Stats& message) {
  const InferenceStats& stats = message.stats;
  if (stalled(stats) && alive()) {
    return fail(
        Error::Code::unavailable,
        fmt::format("the model's process had work and ended none for {} s and had to be ended; ask again: "
                    "it is started anew",
                    stall_.count() / 1000),
        "", "worker_stalled");
  }
  const std::lock_guard lock(mutex_);
  stats_ = stats;
  return {};
}

void WorkerInference::settle(Result<> outcome) {
  const std::lock_guard lock(mutex_);
  if (!loaded_) loaded_ = std::move(outcome);
  changed_.notify_all();
}

void WorkerInference::ended(const Error& why) {
  alive_.store(false, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    stats_.running = stats_.waiting = 0;
    stats_.pages_used = 0;
    stats_.memory_bytes = 0;
  }
  settle(tl::unexpected(why));
  outstanding_.fail_all(why);
}

}  // namespace pensieve::manage
