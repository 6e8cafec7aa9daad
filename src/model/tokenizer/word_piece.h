// WordPiece (`tokenizer.ggml.model` = bert): normalised words, each cut into the longest pieces the
// vocabulary has. Not reversible: case, accents and white space are gone.
#pragma once

#include <memory>

#include "core/metadata.h"
#include "core/result.h"
#include "core/tokenizer.h"

namespace pensieve::model {

// As make_tokenizer. The vocabulary spells the beginning of a word with U+2581 before it, as GGUF converters
// write it. add_special puts the class token before and the separator after the text.
// Keys of our own, set by model/tokenizer/tokenizer_json.h: see word_normaliser.h.
Result<std::unique_ptr<Tokenizer>> make_word_piece(const Metadata& metadata);

}  // namespace pensieve::model
