// GenerationRequest and ReplyEvent: what crosses the Inference seam: a typed question in, typed events out.
// Nothing here knows a wire format; server/dialects translates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/chat.h"
#include "core/result.h"
#include "core/sampling.h"

namespace pensieve {

// What the answer must look like, enforced token by token. What cannot be enforced is refused, never dropped.
struct Constraint {
  enum class Kind : std::uint8_t { json_object, json_schema, regex, gbnf, lark };
  Kind kind = Kind::json_object;
  std::string source;      // schema, pattern or grammar; empty for json_object
  std::string field = {};  // of the request, for errors; empty: named by its kind
};

struct GenerationRequest {
  std::string request_id;  // correlation id: from x-request-id, in every log line about this request
  std::variant<ChatRequest, std::string, std::vector<std::int32_t>>
      prompt;  // conversation, text, or token ids
  SamplingParams sampling;
  std::int64_t max_tokens = -1;   // -1: up to the context; 0: only read the prompt (with prompt_logprobs)
  std::int64_t min_tokens = 0;    // end tokens and stop strings do not count before this many
  std::vector<std::string> stop;  // the answer ends before the first of these to be complete
  bool ignore_eos = false;
  std::optional<Constraint> constraint;          // of the answer, after any reasoning
  std::optional<std::int64_t> reasoning_tokens;  // most tokens of reasoning; 0: none; nothing: no limit
  std::int32_t choices = 1;                      // independent answers to the same prompt
  std::int32_t top_logprobs =
      -1;  // -1: none; 0..20: log-probabilities and this many alternatives for each token
  bool prompt_logprobs = false;  // also for the prompt's tokens
  bool cache_prompt = true;      // reuse and keep cached state
  bool parse_special = true;     // for text prompts: control tokens spelled in the text are parsed
  bool add_special = true;       // for text prompts
};

struct TokenLogprob {
  std::int32_t token = -1;
  float logprob = 0.0F;  // natural log, of the model before any sampler; NaN for a prompt's first token
  std::string bytes;
  struct Alternative {
    std::int32_t token;
    float logprob;
    std::string bytes;
  };
  std::vector<Alternative> top;  // best first, exactly as many as asked
};

struct Usage {
  std::int64_t prompt_tokens = 0;  // the whole prompt, cached or not
  std::int64_t cached_tokens = 0;
  std::int64_t completion_tokens = 0;  // of this choice
  std::int64_t reasoning_tokens = 0;
};

struct Timings {  // milliseconds
  double queue = 0, prompt = 0, predict = 0;
};

enum class FinishReason : std::uint8_t { stop, length, tool_calls, cancelled };

// Events of one generation. Per choice: Started, deltas, Finished. A Failed ends the whole generation; after
// it, or after every choice's Finished, nothing follows.
struct Started {  // admitted and tokenized; sent for each choice
  std::int64_t prompt_tokens = 0, cached_tokens = 0;
};
struct PromptLogprobs {  // when asked for; before the choice's first delta
  std::vector<TokenLogprob> tokens;
};
struct TextDelta {  // whole UTF-8 characters; empty text is possible when only log-probabilities are new
  std::string text;
  bool reasoning = false;
  std::vector<TokenLogprob> logprobs;
  std::int32_t tokens = 0;  // how many tokens this delta covers
};
// A piece of a call's arguments. A call's first delta has its id and name; pieces are never taken back.
struct ToolCallDelta {
  std::int32_t index = 0;  // of the call within its choice, from 0
  std::string id, name;    // in the first delta only
  std::string arguments;   // the next piece of JSON text
};
struct Finished {
  FinishReason reason = FinishReason::stop;
  std::string stop;  // the stop string that ended the answer, empty when none did
  Usage usage;
  Timings timings;
};
struct Failed {
  Error error;
};
struct ReplyEvent {
  std::int32_t choice = 0;
  std::variant<Started, PromptLogprobs, TextDelta, ToolCallDelta, Finished, Failed> what;
};

}  // namespace pensieve
