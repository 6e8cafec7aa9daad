// WorkerInference: a loaded model in a worker process, behind the Inference seam. What the model does is
// local_inference.h's matter, in that process; how the process is watched is link.h's.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "core/inference.h"
#include "manage/wire/messages.h"
#include "manage/worker/link.h"
#include "manage/worker/outstanding.h"
#include "util/log.h"

namespace pensieve::manage {

struct WorkerOrder {
  Launch launch;
  wire::Load load;
  std::chrono::milliseconds silence{10'000};  // longest without a sign of life
  std::chrono::milliseconds stall{300'000};   // longest with work and without a step or an answer
  std::chrono::milliseconds loading{1'800'000};
};

// Thread rule and errors: as Inference. When the process dies, everything outstanding ends with `unavailable`
// and reason "worker_crashed", "worker_stalled" or "worker_misbehaved", and so does whatever is asked later.
// The destructor gives back the process and its memory; it waits for that, at most some seconds.
class WorkerInference final : public Inference, private LinkOwner {
 public:
  // Waits for the load. Errors are those of the load itself, or that the process ended.
  static Result<std::unique_ptr<WorkerInference>> start(WorkerOrder order, util::Log& log);
  ~WorkerInference() override;

  const ModelInfo& info() const override { return info_; }
  GenerationId submit(GenerationRequest request, std::unique_ptr<ReplySink> sink) override;
  void cancel(GenerationId id) override;
  void render(ChatRequest request, Done<std::string> done) override;
  void tokenize(std::string text, EncodeOptions options, Done<TokenizedText> done) override;
  void detokenize(std::vector<std::int32_t> tokens, Done<std::string> done) override;
  void embed(EmbeddingRequest request, Done<Embeddings> done) override;
  void count(ChatRequest request, Done<std::int64_t> done) override;
  InferenceStats stats() const override;
  bool alive() const override { return alive_.load(std::memory_order_acquire); }

 private:
  using Clock = std::chrono::steady_clock;

  explicit WorkerInference(const WorkerOrder& order) : stall_(order.stall) {}
  Result<> await_load(const WorkerOrder& order);
  template <class Message, class Answered>
  void ask(Message message, Answered done, std::size_t inputs = 0);
  void send(std::uint64_t id, const wire::ToWorker& message);

  Result<> receive(wire::ToGateway message, std::size_t bytes) override;
  void ended(const Error& why) override;
  Result<> take(wire::Ready ready);
  Result<> take(wire::LoadFailed failed);
  Result<> take(const wire::Stats& stats);
  bool stalled(const InferenceStats& stats);
  void settle(Result<> outcome);

  const std::chrono::milliseconds stall_;
  ModelInfo info_;  // written before loaded_ is set, constant from then on
  std::atomic<bool> alive_{false};
  Outstanding outstanding_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<>> loaded_;  // guarded by mutex_: how the load went
  InferenceStats stats_;            // guarded by mutex_

  // The link's thread only.
  std::uint64_t steps_ = 0;
  Clock::time_point stepped_ = Clock::now();  // or had nothing to do
  Clock::time_point worked_ = Clock::now();   // its last step
  std::unique_ptr<Link> link_;                // last: its thread uses all of the above
};

}  // namespace pensieve::manage
