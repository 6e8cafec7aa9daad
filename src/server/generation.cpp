// See generation.h.
#include "server/generation.h"

#include <algorithm>
#include <map>
#include <utility>

#include "server/await_result.h"
#include "server/reply_queue.h"

namespace pensieve::server {
namespace {

// One call of run_generations: counts what is still to come.
class Run {
 public:
  Run(std::size_t generations, std::int64_t choices, GenerationReceiver& receiver)
      : heard_(generations), open_(static_cast<std::int64_t>(generations) * choices), receiver_(receiver) {}

  bool finished() const { return open_ == 0; }

  // Events are held back until every generation was heard of or text has come: a refusal of any can then
  // still be an error status instead of a broken stream.
  Result<> take(std::vector<GenerationEvent>& batch) {
    for (const GenerationEvent& entry : batch) note(entry);
    for (GenerationEvent& entry : batch) {
      if (auto* failed = std::get_if<Failed>(&entry.event.what))
        return tl::unexpected(std::move(failed->error));
      const auto* finished = std::get_if<Finished>(&entry.event.what);
      if (finished &&
          finished->reason == FinishReason::cancelled) {  // not by us: we no longer listen after a cancel
        return fail(Error::Code::unavailable,
                    "the model was stopped before the answer was complete; try again", {},
                    "generation_stopped");
      }
      heard_[entry.generation].anything = true;
      const bool text = std::holds_alternative<TextDelta>(entry.event.what) ||
                        std::holds_alternative<ToolCallDelta>(entry.event.what);
      held_.push_back(std::move(entry));
      if (text ||
          std::all_of(heard_.begin(), heard_.end(), [](const Heard& heard) { return heard.anything; }))
        release();
    }
    return {};
  }

  // Work that was done for nothing is counted all the same: these events will not reach the receiver.
  void give_up(const std::vector<GenerationEvent>& batch, Exchange& exchange) {
    for (const GenerationEvent& entry : batch) note(entry);
    count_lost(exchange);
  }
  void count_lost(Exchange& exchange) const {
    for (const Heard& heard : heard_) {
      std::int64_t answered = 0;
      for (const auto& choice : heard.answered) answered += choice.second;
      exchange.count_tokens(heard.received ? 0 : heard.prompt, answered);
    }
  }

 private:
  // Of one generation. What the receiver got with a Finished is counted by it.
  struct Heard {
    bool anything = false, received = false;
    std::int64_t prompt = 0;
    std::map<std::int32_t, std::int64_t> answered;  // tokens by choice
  };

  void note(const GenerationEvent& entry) {
    Heard& heard = heard_[entry.generation];
    std::int64_t& answered = heard.answered[entry.event.choice];
    if (const auto* started = std::get_if<Started>(&entry.event.what)) {
      heard.prompt = started->prompt_tokens;
    } else if (const auto* delta = std::get_if<TextDelta>(&entry.event.what)) {
      answered += delta->tokens;
    } else if (const auto* finished = std::get_if<Finished>(&entry.event.what)) {
      answered = std::max(answered, finished->usage.completion_tokens);
    }
  }

  void release() {
    if (!std::exchange(begun_, true)) receiver_.begin();
    for (GenerationEvent& entry : held_) {
      if (std::holds_alternative<Finished>(entry.event.what)) {
        --open_;
        heard_[entry.generation].received = true;
        heard_[entry.generation].answered.erase(entry.event.choice);
      }
      receiver_.receive(entry.generation, entry.event);
    }
    held_.clear();
  }

  std::vector<Heard> heard_;
  std::vector<GenerationEvent> held_;
  std::int64_t open_;
  bool begun_ = false;
  GenerationReceiver& receiver_;
};

// What was handed to the model: cancelled unless it ended, also when an exception leaves run_generations.
class Submitted {
 public:
  Submitted(Inference& model, std::shared_ptr<ReplyQueue> queue, std::size_t count)
      : model_(model), queue_(std::move(queue)) {
    ids_.reserve(count);
  }
  Submitted(const Submitted&) = delete;
  Submitted& operator=(const Submitted&) = delete;
  ~Submitted() {
    queue_->close();
    for (const GenerationId id : ids_) model_.cancel(id);
  }
  void add(GenerationId id) { ids_.push_back(id); }
  void ended() { ids_.clear(); }

 private:
  Inference& model_;
  std::shared_ptr<ReplyQueue> queue_;
  std::vector<GenerationId> ids_;
};

}  // namespace

Error cancel_error(Cancelled why) {
  if (why == Cancelled::server_stops) return server_stops();
  return {Error::Code::cancelled, "the client closed the connection", {}, "client_closed", {}};
}

Task<Result<>> run_generations(Exchange& exchange, Inference& model, std::vector<GenerationRequest> requests,
                               GenerationReceiver& receiver) {
  if (exchange.cancelled() != Cancelled::no) co_return tl::unexpected(cancel_error(exchange.cancelled()));
  const auto queue = std::make_shared<ReplyQueue>(exchange.executor());
  exchange.on_cancel([queue] { queue->arrived().fire(); });
  Run run(requests.size(), requests.empty() ? 0 : requests.front().choices, receiver);
  Submitted submitted(model, queue, requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    submitted.add(model.submit(std::move(requests[i]), queue->sink(i)));
  }
  Result<> outcome;
  std::vector<GenerationEvent> batch;
  while (outcome && !run.finished()) {
    queue->take(batch);
    while (batch.empty() && exchange.cancelled() == Cancelled::no) {
      co_await queue->arrived().wait();
      queue->take(batch);
    }
    if (exchange.cancelled() != Cancelled::no) {
      outcome = tl::unexpected(cancel_error(exchange.cancelled()));
      run.give_up(batch, exchange);
      break;
    }
    outcome = run.take(batch);
    if (!outcome) run.count_lost(exchange);
    if (outcome && exchange.replied()) co_await exchange.flush();
  }
  exchange.on_cancel(nullptr);
  if (outcome) submitted.ended();
  co_return outcome;
}

Task<Result<std::shared_ptr<Inference>>> acquire_model(Exchange& exchange, Context& context,
                                                       std::string name) {
  using Answer = Result<std::shared_ptr<Inference>>;
  if (context.draining) co_return tl::unexpected(cancel_error(Cancelled::server_stops));
  manage::ModelPool& pool = context.services.models;
  std::function<void(std::function<void(Answer)>)> start = [&pool, name](std::function<void(Answer)> done) {
    pool.acquire(name, std::move(done));
  };
  co_return co_await await_result<Answer::value_type>(exchange, std::move(start));
}

Error server_stops() {
  return {Error::Code::unavailable, "the server is shutting down; try again later", {}, "server_stops", {}};
}

void tell_inert(Exchange& exchange, const Call& call) {
  std::string names;
  for (const std::string& field : call.inert) names += (names.empty() ? "" : ", ") + field;
  if (!names.empty()) exchange.add_header("x-pensieve-ignored-fields", std::move(names));
}

Result<> keep_model(Context& context, const ModelInfo& info, const Call& call) {
  if (!call.keep_alive) return {};
  return context.services.models.keep_alive(info.name, call.keep_alive);
}

void log_unknown(const Context& context, std::string_view request_id,
                 const std::vector<std::string>& fields) {
  util::Log& log = context.services.log;
  if (fields.empty() || !log.enabled(util::LogLevel::debug)) return;
  std::string names;
  for (const std::string& field : fields) names += (names.empty() ? "" : ", ") + field.substr(0, 64);
  log.write(util::LogLevel::debug, "fields_ignored", {{"id", request_id}, {"fields", names}});
}

}  // namespace pensieve::server
