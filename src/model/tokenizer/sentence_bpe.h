// SentencePiece-style BPE (`tokenizer.ggml.model` = llama): characters of whole texts merge, spaces count as
// the letter U+2581, and what no token spells falls back to byte tokens. Not byte-level BPE
// (bpe_tokenizer.h).
#pragma once

#include <memory>

#include "core/metadata.h"
#include "core/result.h"
#include "core/tokenizer.h"

namespace pensieve::model {

// As make_tokenizer. The order of merges follows tokenizer.ggml.scores (higher first; equal ones from the
// left) or, where the file has tokenizer.ggml.merges instead, that list. Algorithm: SentencePiece's
// bpe_model, as GGUF readers apply it. Control tokens never come about by merging.
Result<std::unique_ptr<Tokenizer>> make_sentence_bpe(const Metadata& metadata);

}  // namespace pensieve::model
