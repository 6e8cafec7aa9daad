// Builds the tokenizer that a model file's metadata describes. Not a tokenizer itself: each family has its
// own file, chosen here by `tokenizer.ggml.model` (key names: the GGUF specification).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/metadata.h"
#include "core/result.h"
#include "core/tokenizer.h"

namespace pensieve::model {

// Everything is checked here, so that the tokenizer itself cannot fail: `invalid` names the key, the index
// and the value at fault, `unsupported` the family or pre-tokenizer this build lacks and those it has. The
// metadata need not outlive it.
Result<std::unique_ptr<Tokenizer>> make_tokenizer(const Metadata& metadata);

// What a person should know of a tokenizer that loads all the same, for the log and for `show`; mostly empty.
std::vector<std::string> tokenizer_warnings(const Metadata& metadata);

}  // namespace pensieve::model
