// Runner: one thread that steps the engine while there is work and sleeps while there is none; calls from
// other threads become messages. Not the loop's content: engine.cpp.
#include "engine/runner.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <variant>

#include "engine/counters.h"
#include "engine/engine.h"

namespace pensieve::engine {
namespace {

double milliseconds_now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Thread rule: any thread calls submit, cancel, stats and context; engine_ belongs to thread_ alone.
class ThreadRunner final : public Runner {
 public:
  ThreadRunner(const Graph& graph, const Tokenizer& tokenizer, const DeviceInfo& device,
               std::unique_ptr<Plan> plan, const Capacity& capacity, const Options& options)
      : context_(capacity.context),
        engine_(graph, tokenizer, device, std::move(plan), capacity, options, milliseconds_now, counters_),
        thread_([this] { work(); }) {}

  ~ThreadRunner() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wakes_.notify_one();
    thread_.join();
  }

  void submit(Request request) override {
    Message message = Submission{std::move(request), milliseconds_now()};
    try {
      post(message);
    } catch (const std::bad_alloc& problem) {
      tell_failure(std::get<Submission>(message).request.sink.get(), error_of(problem));
    }
  }
  void cancel(GenerationId id) override {
    Message message = id;
    post(message);
  }
  InferenceStats stats() const override { return counters_.read(); }
  std::int64_t context() const override { return context_; }

 private:
  struct Submission {
    Request request;
    double at;
  };
  using Message = std::variant<Submission, GenerationId>;

  void post(Message& message) {
    {
      const std::lock_guard lock(mutex_);
      mailbox_.push_back(std::move(message));
    }
    wakes_.notify_one();
  }

  void work() {
    for (bool stop = false; !stop;) {
      std::vector<Message> messages;
      {
        std::unique_lock lock(mutex_);
        if (engine_.idle()) wakes_.wait(lock, [this] { return stopping_ || !mailbox_.empty(); });
        messages.swap(mailbox_);
        stop = stopping_;
      }
      for (Message& message : messages) guarded([&] { take(message); });
      if (stop) guarded([this] { engine_.cancel_all(); });
      if (!engine_.idle()) guarded([this] { engine_.step(); });
    }
    while (!engine_.idle()) guarded([this] { engine_.step(); });
  }

  // A want of memory (or a defect) ends the requests in hand, not the process.
  template <class Work>
  void guarded(Work&& work) {
    try {
      work();
    } catch (const std::exception& problem) {
      engine_.fail_all(error_of(problem));
    }
  }

  void take(Message& message) {
    if (auto* submission = std::get_if<Submission>(&message)) {
      engine_.submit(std::move(submission->request), submission->at);
    } else {
      engine_.cancel(std::get<GenerationId>(message));
    }
  }

  const std::int64_t context_;
  Counters counters_;
  Engine engine_;

  std::mutex mutex_;  // guards the next two
  std::vector<Message> mailbox_;
  bool stopping_ = false;
  std::condition_variable wakes_;
  std::thread thread_;  // last: it starts when everything else stands
};

}  // namespace

std::unique_ptr<Runner> Runner::start(const Graph& graph, const Tokenizer& tokenizer, DeviceInfo device,
                                      std::unique_ptr<Plan> plan, const Capacity& capacity,
                                      const Options& options) {
  return std::make_unique<ThreadRunner>(graph, tokenizer, device, std::move(plan), capacity, options);
}

}  // namespace pensieve::engine
