// The fields that every OpenAI-style generating request shares: which model, how to sample, when to stop, how
// to answer.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/generation.h"
#include "core/model_info.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// What a client asked for, checked as far as possible without knowing the model.
struct Call {
  std::string model;    // empty: the server's only one
  std::string session;  // of which this is a turn; empty: none
  bool stream = false;
  bool include_usage = false;                      // a last chunk with the usage
  GenerationRequest generation;                    // its sampling is set by fit_to_model
  bool timings_per_token = false;                  // each chunk tells how long it took so far
  std::optional<std::chrono::seconds> keep_alive;  // of the model after this use; negative: for ever
  std::vector<std::string> unknown;                // fields ignored, for the log
  std::vector<std::string> inert;                  // fields known, but without effect here: told in a header

  // Samplers that the client set, over the model's own defaults; and token ids that the vocabulary must hold.
  struct Change {
    void (*set)(SamplingParams&, double);
    double value;
  };
  std::vector<Change> changes;
  std::vector<std::pair<std::int64_t, float>> logit_bias;
};

std::span<const Field> generation_fields();
// `max_tokens_minimum`: 1, or 0 where reading the prompt alone makes sense.
Result<> read_generation_fields(const Json& body, std::int64_t max_tokens_minimum, Call& call);
// The inert fields among them and in `own`, the table of an endpoint's own fields.
std::vector<std::string> inert_generation_fields(const Json& body, std::span<const Field> own);
// Parts of it, for other APIs that say the same: samplers by the names above, a seed, stop strings.
void read_samplers(const Json& body, Call& call);
void read_seed(const Json& body, SamplingParams& sampling);
inline constexpr std::size_t kStopStrings = 16;
Result<> read_stop(const Json& body, const std::string& field, std::vector<std::string>& stop,
                   std::size_t most = kStopStrings);
// Completes call.generation.sampling; refuses token ids that the model does not have.
Result<> fit_to_model(const ModelInfo& info, Call& call);

}  // namespace pensieve::server
