// Runner: the engine on a thread of its own: requests come in as messages, events go out through each
// request's sink. The loop itself is engine.h (step: schedule, build, run, sample, emit); this is its only
// public face.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/graph.h"
#include "core/inference.h"
#include "core/reply.h"
#include "core/tokenizer.h"
#include "engine/constraint/compile.h"
#include "engine/options.h"

namespace pensieve::engine {

namespace constraint {
class TokenTrie;
}

// What an answer must look like, ready to be followed.
struct Enforcement {
  constraint::Program program;
  std::shared_ptr<const constraint::TokenTrie> trie;  // of the model's vocabulary
};

// How long an answer may reason (thinking_watch.h).
struct ThinkingLimit {
  std::int64_t tokens = 0;
  std::vector<std::int32_t> close;                    // what ends the reasoning, as tokens
  std::vector<std::unique_ptr<ReplyParser>> readers;  // one for each choice: they tell when it reasons
};

// A tokenized request. Fields as in GenerationRequest.
struct Request {
  GenerationId id = 0;
  std::vector<std::int32_t> prompt;     // not empty
  std::string prompt_field = "prompt";  // of the client's request, for errors
  SamplingParams sampling;
  std::int64_t max_tokens = -1, min_tokens = 0;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::int32_t choices = 1, top_logprobs = -1;
  bool prompt_logprobs = false, cache_prompt = true;
  // Control tokens, ascending, whose spelling belongs to the answer's text; null: none.
  std::shared_ptr<const std::vector<std::int32_t>> shown_controls;
  std::optional<Enforcement> enforcement;
  std::optional<ThinkingLimit> thinking;
  std::unique_ptr<ReplySink> sink;
};

// What the plan must be compiled with, and the context that one request then gets. Chosen from the options,
// the model and the bytes that may be used for state; an error states needed and available bytes.
struct Capacity {
  PlanOptions plan;
  std::int64_t context = 0;
};
Result<Capacity> choose_capacity(const Graph& graph, const Options& options,
                                 std::size_t state_bytes_available);

// Thread rule: any thread may call; the destructor cancels what runs, delivers the last events and joins the
// thread.
class Runner {
 public:
  // `graph` and `tokenizer` must outlive the runner.
  static std::unique_ptr<Runner> start(const Graph& graph, const Tokenizer& tokenizer, DeviceInfo device,
                                       std::unique_ptr<Plan> plan, const Capacity& capacity,
                                       const Options& options);
  virtual ~Runner() = default;
  virtual void submit(Request request) = 0;
  virtual void cancel(GenerationId id) = 0;
  virtual InferenceStats stats() const = 0;
  virtual std::int64_t context() const = 0;
};

}  // namespace pensieve::engine
