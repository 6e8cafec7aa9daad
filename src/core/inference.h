// Inference: the seam between those who ask (server, command line) and one loaded model. Implementations: in
// this process (manage/local_inference.h) and, later, in a worker process; every call is a message, so
// nothing waits for the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/generation.h"
#include "core/model_info.h"
#include "core/tokenizer.h"

namespace pensieve {

// Receives the events of one generation, in order, on a thread of the model's. Must return quickly and never
// call back into Inference; it is destroyed after the last event.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void on_event(ReplyEvent event) = 0;
};

using GenerationId = std::uint64_t;

// Counters since the load, and gauges of now. Read at any time, from any thread.
struct InferenceStats {
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0, finished = 0, cancelled = 0,
                failed = 0, steps = 0;
  std::int32_t running = 0, waiting = 0;
  std::int64_t pages_used = 0, pages_total = 0;
  std::size_t memory_bytes = 0;
};

struct TokenizedText {
  std::vector<std::int32_t> tokens;
  std::vector<std::string> pieces;  // bytes of each token
};

struct TextPair {  // a question and a text that may answer it
  std::string first, second;
};
struct EmbeddingRequest {
  std::string request_id;
  // Texts or token ids; pairs for a model that ranks.
  std::vector<std::variant<std::string, std::vector<std::int32_t>, TextPair>> inputs;
  bool truncate = false;  // cut what is too long instead of refusing it
};
struct Embeddings {
  // One for each input, pooled as the model wants it, of length 1; for a pair the one score, a logit.
  std::vector<std::vector<float>> vectors;
  std::int64_t prompt_tokens = 0;
};

// Thread rule: any thread may call any method. Callbacks (`done`) run on a thread of the model's, exactly
// once.
class Inference {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  virtual ~Inference() = default;
  virtual const ModelInfo& info() const = 0;
  // False once the model ended by itself (its process died): every later call answers with an error, and the
  // pool loads it anew. Never blocks.
  virtual bool alive() const { return true; }

  // Every problem (prompt too long, template refusal, queue full) arrives as a Failed event.
  virtual GenerationId submit(GenerationRequest request, std::unique_ptr<ReplySink> sink) = 0;
  // The generation ends within one step with FinishReason::cancelled for each unfinished choice; unknown ids
  // are ignored.
  virtual void cancel(GenerationId id) = 0;

  virtual void render(ChatRequest request, Done<std::string> done) = 0;
  virtual void tokenize(std::string text, EncodeOptions options, Done<TokenizedText> done) = 0;
  virtual void detokenize(std::vector<std::int32_t> tokens, Done<std::string> done) = 0;
  // `unsupported` where the model makes no embeddings, or inputs are pairs and it does not rank them.
  virtual void embed(EmbeddingRequest request, Done<Embeddings> done) = 0;
  virtual void count(ChatRequest request, Done<std::int64_t> done) = 0;  // tokens of the rendered prompt

  virtual InferenceStats stats() const = 0;
};

}  // namespace pensieve
