// LocalInference: one loaded model that runs in this process, behind the Inference seam.
// Text work happens on a thread of its own, generation on the engine's; callers never wait. Not a pool
// (model_pool.h).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/backend.h"
#include "core/inference.h"
#include "engine/embedder.h"
#include "engine/options.h"
#include "engine/runner.h"
#include "hal/options.h"
#include "manage/encode_pair.h"
#include "manage/encode_prompt.h"
#include "manage/load_budget.h"
#include "manage/task_thread.h"
#include "model/loaded_model.h"
#include "util/log.h"

namespace pensieve::manage {

// What a model needs and what there is, in bytes; decided before a plan is compiled.
struct MemoryPlan {
  engine::Capacity capacity;
  MemoryEstimate estimate;
  std::size_t available = 0;
};

// Shrinks the state until weights, state and scratch fit into `available`; an error states needed and
// available bytes.
Result<MemoryPlan> plan_memory(const Backend& backend, const model::LoadedModel& model,
                               const engine::Options& options, std::size_t available);

// The inputs of one request for embeddings, as the embedder takes them.
struct EncodedTexts {
  std::vector<std::vector<std::int32_t>> tokens;
  std::vector<std::int64_t> seconds;  // first row of the second segment; empty: no pairs
};

class LocalInference final : public Inference {
 public:
  // Opens the device, loads, plans memory, compiles and starts the engine. Takes seconds for a large model.
  // An empty `name` means the file's own. What does not fit into the budget is refused with reason
  // "out_of_memory" before anything is allocated. `log` must outlive the model; it gets a line for each
  // generation.
  static Result<std::unique_ptr<LocalInference>> load(const std::string& path, const std::string& name,
                                                      const hal::Options& hardware,
                                                      const engine::Options& options, util::Log& log,
                                                      const LoadBudget& budget = {});
  // Bytes that the device of these options has for models now; 0 when there is no such device.
  static std::size_t available(const hal::Options& hardware);
  ~LocalInference() override;

  const ModelInfo& info() const override { return model_.info; }
  // When too many wait for their text to be read already, the refusal (queue_full) comes before this returns,
  // on the caller's thread; so it does from the calls below.
  GenerationId submit(GenerationRequest request, std::unique_ptr<ReplySink> sink) override;
  void cancel(GenerationId id) override;
  void render(ChatRequest request, Done<std::string> done) override;
  void tokenize(std::string text, EncodeOptions options, Done<TokenizedText> done) override;
  void detokenize(std::vector<std::int32_t> tokens, Done<std::string> done) override;
  void embed(EmbeddingRequest request, Done<Embeddings> done) override;
  void count(ChatRequest request, Done<std::int64_t> done) override;
  InferenceStats stats() const override;

  MemoryEstimate memory() const { return memory_; }

 private:
  struct Submission;

  explicit LocalInference(util::Log& log) : log_(log) {}
  Result<> start(const hal::Options& hardware, const engine::Options& options, const LoadBudget& budget);
  Result<> room_for_text() const;
  // Answers `done` with what `work` gives on the text thread.
  template <class Value, class Work>
  void answer(Done<Value> done, Work work);
  void admit(Submission& submission, bool abandoned);
  Result<EncodedTexts> embedding_tokens(const EmbeddingRequest& request) const;
  Result<Embeddings> run_embedder(const EncodedTexts& texts);
  Result<std::vector<std::int32_t>> prompt_tokens(const GenerationRequest& request, std::string& tail) const;
  std::unique_ptr<ReplySink> message_sink(const ChatRequest& chat, const GenerationRequest& request,
                                          std::string_view tail, std::unique_ptr<ReplySink> client) const;
  Result<std::optional<engine::Enforcement>> enforcement_of(const GenerationRequest& request,
                                                            std::string_view tail);
  Result<Prompt> render_chat(const ChatRequest& request) const;

  // In the order of construction: each uses those above it.
  util::Log& log_;
  std::size_t most_texts_ = 0;  // tasks that may wait for the text thread
  std::unique_ptr<Backend> backend_;
  model::LoadedModel model_;
  std::unique_ptr<ControlTokens> controls_;
  std::shared_ptr<const std::vector<std::int32_t>> reply_controls_;  // those that a reply's parser must see
  MemoryEstimate memory_;
  // Made at the first constrained request; the text thread only.
  std::shared_ptr<const engine::constraint::TokenTrie> trie_;
  std::unique_ptr<engine::Runner> runner_;      // null: the model makes embeddings only
  std::unique_ptr<engine::Embedder> embedder_;  // null: it generates
  std::unique_ptr<PairEncoder> pairs_;          // null: it ranks nothing

  mutable std::mutex mutex_;
  std::unordered_map<GenerationId, bool>
      waiting_;  // not yet with the engine; true: cancelled. Guarded by mutex_
  std::atomic<GenerationId> next_id_{1};
  std::atomic<std::uint64_t> refused_{0}, cancelled_{0};  // ended before the engine saw them
  std::atomic<std::uint64_t> embedded_tokens_{0}, embedded_{0};
  std::unique_ptr<TaskThread> embedding_;  // runs embedder_
  std::unique_ptr<TaskThread> text_;       // last: its tasks use all of the above
};

}  // namespace pensieve::manage
