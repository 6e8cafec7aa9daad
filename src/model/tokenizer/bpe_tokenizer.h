// Byte-level BPE (`tokenizer.ggml.model` = gpt2): pre-tokenizer, then merges over bytes. Not
// SentencePiece-style BPE, which merges characters of text with spaces escaped.
#pragma once

#include <memory>

#include "core/metadata.h"
#include "core/result.h"
#include "core/tokenizer.h"

namespace pensieve::model {

// As make_tokenizer; also refuses a missing or malformed tokenizer.ggml.merges, merges that name absent
// tokens, and ordinary tokens spelled with unprintable characters. An unknown tokenizer.ggml.pre is
// `unsupported`.
Result<std::unique_ptr<Tokenizer>> make_bpe_tokenizer(const Metadata& metadata);

}  // namespace pensieve::model
