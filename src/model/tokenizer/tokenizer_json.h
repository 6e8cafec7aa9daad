// The `tokenizer.json` of a SafeTensors directory as the same metadata keys that a GGUF file has, so that one
// tokenizer serves both. Not a tokenizer (tokenizer_factory.h builds it), and not a full reading of the
// `tokenizers` library: what no tokenizer of ours does is refused by name.
#pragma once

#include <string_view>

#include "core/metadata.h"
#include "core/result.h"

namespace pensieve::model {

// Adds keys tokenizer.ggml.* and, for what GGUF cannot say, tokenizer.pensieve.*:
//   expressions (texts)        pre-tokenizer passes, in place of tokenizer.ggml.pre
//   merge_pairs (texts)        left and right of each merge in turn, in place of tokenizer.ggml.merges
//   normalizer (text)          nfc, nfd, nfkc or nfkd, applied to text before it is cut
//   prefix_space (bool)        a stretch of text that does not begin with a space gets one (byte-level BPE)
//   prefix_first_only (bool)   the space before a text is not repeated after special tokens (SentencePiece)
//   split_spaces (bool)        pieces never reach over a space (SentencePiece)
//   ignore_merges (bool)       a piece that is a token is that token
//   opening_ids, closing_ids   tokens that add_special puts around a text, in place of bos and eos
//   strip_left, strip_right    ids of special tokens that take the white space beside them
// `configuration` is tokenizer_config.json, or empty: the names of special tokens and the chat template.
// Foreign bytes: errors (`invalid`, `unsupported`) name the member at fault.
Result<> add_tokenizer_json(std::string_view tokenizer, std::string_view configuration, Metadata& metadata);

}  // namespace pensieve::model
