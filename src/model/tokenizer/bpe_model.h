// BpeModel: all that byte-level BPE reads from a file, checked and indexed. Not the algorithm
// (bpe_tokenizer.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "core/result.h"
#include "model/tokenizer/merge_table.h"
#include "model/tokenizer/pre_tokenizer.h"
#include "model/tokenizer/special_splitter.h"
#include "model/tokenizer/token_index.h"

namespace pensieve::model {

// Thread rule: immutable once read. Moves only: indexes borrow from `spelled`.
struct BpeModel {
  PreTokenizer pre_tokenizer;
  SpecialSplitter specials;
  MergeTable merges;
  std::array<std::int32_t, 256> byte_tokens{};  // -1: the vocabulary cannot spell this byte
  // What stands for a byte without a token: U+FFFD, as only bytes that are not UTF-8 lack one in practice.
  // Never the unknown token, which in many files is a control token that user text must not bring about.
  std::vector<std::int32_t> replacement;

  // Pieces of text that are one token as a whole, so that no merging is needed.
  TokenIndex whole_pieces;
  std::size_t longest_whole_piece = 0;

  // The bytes each token stands for: spelled[starts[id] .. starts[id + 1]).
  std::vector<char> spelled;
  std::vector<std::size_t> starts;
  enum Flag : std::uint8_t { kHidden = 1, kControl = 2, kEnds = 4 };
  std::vector<std::uint8_t> flags;

  std::int32_t begin = -1, end = -1;
  bool add_begin = false, add_end = false;
  bool clean_decoded_spaces = false;

  std::int32_t size() const { return static_cast<std::int32_t>(flags.size()); }
  std::string_view bytes(std::int32_t token) const {
    const auto at = static_cast<std::size_t>(token);
    return {spelled.data() + starts[at], starts[at + 1] - starts[at]};
  }

  BpeModel() = default;
  BpeModel(BpeModel&&) = default;
  BpeModel& operator=(BpeModel&&) = default;
};

Result<BpeModel> read_bpe_model(const Metadata& metadata);

}  // namespace pensieve::model
