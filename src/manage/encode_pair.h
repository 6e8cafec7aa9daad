// PairEncoder: how a model that ranks reads a question and a text together, and what its results say as one
// number. Not for running the model (engine/embedder.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/inference.h"
#include "manage/encode_prompt.h"
#include "model/loaded_model.h"

namespace pensieve::manage {

struct EncodedPair {
  std::vector<std::int32_t> tokens;
  std::int64_t second = 0;  // first token of the second segment
};

// Cross-encoders take the two texts between their tokenizer's own tokens; decoders that rank are asked a
// question, in the words of the file's template "rerank" (with {query} and {document}) or else of Qwen3's.
// Thread rule: immutable; any thread may call. `model` and `controls` must outlive it.
class PairEncoder {
 public:
  // `unsupported` where nothing says how the model wants to be asked, or which of its results is the score.
  static Result<PairEncoder> make(const model::LoadedModel& model, const ControlTokens& controls);

  // What is longer than `longest` tokens loses the end of its second text; without one left it stays longer.
  EncodedPair encode(const TextPair& pair, std::size_t longest) const;
  // The logit of the text being an answer. `results`: as many as the model's classes.
  float score(std::span<const float> results) const;

 private:
  PairEncoder(const Tokenizer& tokenizer, const ControlTokens& controls)
      : tokenizer_(&tokenizer), controls_(&controls) {}
  Result<> choose_class(const model::LoadedModel& model);
  Result<> choose_words(const model::LoadedModel& model);
  EncodedPair between_tokens(const TextPair& pair, std::size_t longest) const;
  std::vector<std::int32_t> asked(std::string_view query, std::string_view document) const;

  const Tokenizer* tokenizer_;
  const ControlTokens* controls_;
  std::string words_;      // empty: tokens of the tokenizer's around the texts
  std::size_t class_ = 0;  // whose result is the score
};

}  // namespace pensieve::manage
