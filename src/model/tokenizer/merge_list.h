// The merges of a file, tokenizer.ggml.merges or tokenizer.pensieve.merge_pairs, as a MergeTable, for every
// kind of BPE.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/metadata.h"
#include "core/result.h"
#include "model/tokenizer/merge_table.h"

namespace pensieve::model {

bool has_merges(const Metadata& metadata);

// `symbol`: what a text is to the tokenizer, -1 for nothing. Refuses (`invalid`) entries that are not two
// texts with one space between, or that need a token which the vocabulary does not have.
Result<MergeTable> read_merges(const Metadata& metadata,
                               const std::function<std::int32_t(std::string_view)>& symbol);

}  // namespace pensieve::model
