// Forward: a model's plan driven directly, step by step, for verbs that look at raw results (eval,
// perplexity, bench). Not a server: no queue, no sampling, no cache; the caller says which rows run and which
// logits it wants.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/result.h"
#include "hal/options.h"
#include "model/loaded_model.h"

namespace pensieve::tools {

struct ForwardOptions {
  hal::Options hardware;
  std::string kv_type = "f16";
  std::int32_t sequences = 1;
  std::int64_t tokens = 0;   // of each sequence; 0: the trained context
  std::int64_t context = 0;  // that the model is loaded for, where that makes a difference; 0: as trained
  std::int32_t step_rows = 512;
  std::string quantize;  // the type that weights get while loading
};

// Rows of one sequence in a step. Positions follow those that the sequence already has.
struct Feed {
  std::int32_t sequence = 0;
  std::span<const std::int32_t> tokens;
  std::int32_t first_output = 0;  // logits are wanted from this row of `tokens` on; tokens.size(): of none
};

// Thread rule: one thread.
class Forward {
 public:
  // A problem with the model or device; see During::model.
  static Result<std::unique_ptr<Forward>> open(const std::string& path, const ForwardOptions& options);

  const model::LoadedModel& model() const { return model_; }
  const DeviceInfo& device() const { return backend_->info(); }
  MemoryEstimate memory() const { return plan_->memory(); }
  MemoryEstimate estimate() const { return estimate_; }  // of the same, before the plan was compiled
  const Codec& kv_codec() const { return *plan_options_.kv_codec; }
  std::int64_t capacity() const { return capacity_; }  // tokens of one sequence
  std::int32_t step_rows() const { return plan_options_.max_rows; }
  std::int64_t length(std::int32_t sequence) const { return lengths_[static_cast<std::size_t>(sequence)]; }
  void truncate(std::int32_t sequence, std::int64_t length);

  // One step of at most step_rows rows. The output is valid until the next step. Without a wish for logits a
  // device may give only the likeliest tokens: `choose` takes either.
  enum class Wanted : std::uint8_t { logits, likeliest };
  Result<StepOutput> step(std::span<const Feed> feeds, Wanted wanted = Wanted::logits);

  // A whole text into one sequence, in steps of at most `chunk` rows (0: as many as fit); `wanted` gets the
  // logits of rows [first_output, tokens.size()), in order, possibly in several calls.
  using Logits = std::function<Result<>(std::span<const float> rows)>;
  Result<> read(std::int32_t sequence, std::span<const std::int32_t> tokens, std::int64_t first_output,
                std::int32_t chunk, const Logits& wanted);

 private:
  Forward() = default;
  Result<> compile(const ForwardOptions& options);
  Result<> check(std::span<const Feed> feeds) const;
  void build_tables(std::span<const Feed> feeds, Wanted wanted);

  std::unique_ptr<Backend> backend_;  // outlives the model's buffers and the plan
  model::LoadedModel model_;
  std::unique_ptr<Plan> plan_;
  PlanOptions plan_options_;
  MemoryEstimate estimate_;
  std::int64_t capacity_ = 0;
  std::int32_t pages_each_ = 0;
  bool recurrent_ = false;
  std::vector<std::int64_t> lengths_;

  // One step's arrays, kept so that a step allocates nothing.
  std::vector<std::int32_t> tokens_, positions_, starts_, pages_, page_starts_, slots_, outputs_;
  std::vector<PageTable> tables_;
  std::vector<Draw> draws_;
  SamplingParams greedy_;
};

// First index of the largest value.
std::int32_t argmax(std::span<const float> logits);
// The token of one output row: as drawn by the device, else the largest logit.
std::int32_t choose(const StepOutput& output, std::size_t row, std::int64_t vocabulary);

}  // namespace pensieve::tools
