// BpeModel: all that byte-level BPE reads from a file, checked and indexed. Not the algorithm
// (bpe_tokenizer.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "core/result.h"
#include "model/tokenizer/merge_table.h"
#include "model/tokenizer/normal_form.h"
#include "model/tokenizer/pre_tokenizer.h"
#include "model/tokenizer/token_index.h"
#include "model/tokenizer/token_table.h"

namespace pensieve::model {

// Thread rule: immutable once read. Moves only: indexes borrow from `table`.
struct BpeModel {
  TokenTable table;
  PreTokenizer pre_tokenizer;
  MergeTable merges;
  std::array<std::int32_t, 256> byte_tokens{};  // -1: the vocabulary cannot spell this byte
  // What stands for a byte without a token: U+FFFD, as only bytes that are not UTF-8 lack one in practice.
  // Never the unknown token, which in many files is a control token that user text must not bring about.
  std::vector<std::int32_t> replacement;

  // Pieces of text that are one token as a whole, so that no merging is needed.
  TokenIndex whole_pieces;
  std::size_t longest_whole_piece = 0;

  bool clean_decoded_spaces = false;
  std::optional<NormalForm> normal_form;  // of text before it is cut
  bool prefix_space = false;              // a stretch of text that does not begin with a space gets one

  BpeModel() = default;
  BpeModel(BpeModel&&) = default;
  BpeModel& operator=(BpeModel&&) = default;
};

Result<BpeModel> read_bpe_model(const Metadata& metadata);

}  // namespace pensieve::model
