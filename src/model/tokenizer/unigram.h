// SentencePiece's unigram model (`tokenizer.ggml.model` = t5): the most probable way to cut a normalised text
// into pieces. Not BPE: pieces have log-probabilities, and nothing merges.
#pragma once

#include <memory>

#include "core/metadata.h"
#include "core/result.h"
#include "core/tokenizer.h"

namespace pensieve::model {

// As make_tokenizer. Algorithm: Kudo, "Subword Regularization" (2018), the best path by Viterbi's; unknown
// characters cost ten below the worst piece, as SentencePiece has it, and neighbours of them are one token.
Result<std::unique_ptr<Tokenizer>> make_unigram(const Metadata& metadata);

}  // namespace pensieve::model
