// TokenTrie: the vocabulary as a tree of bytes, flattened in preorder, so that one walk tells which tokens a
// state allows. Built once for each model. Thread rule: immutable; any thread may read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer.h"

namespace pensieve::engine::constraint {

// Before the spelling of a control token in a grammar and in the trie: a byte that no text has, so that text
// never becomes a control token.
inline constexpr char kControl = '\xFF';

class TokenTrie {
 public:
  struct Step {
    std::uint8_t byte;
    std::uint16_t depth;       // bytes from the root, this one included
    std::int32_t skip;         // the next step outside this subtree
    std::int32_t first, last;  // tokens that end here, as a range of tokens()
  };

  explicit TokenTrie(const Tokenizer& tokenizer);
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<std::int32_t>& tokens() const { return tokens_; }
  const std::vector<std::int32_t>& end_tokens() const { return end_tokens_; }
  std::size_t depth() const { return depth_; }
  std::size_t vocabulary() const { return texts_.size(); }
  std::string_view text(std::int32_t token) const { return texts_[static_cast<std::size_t>(token)]; }
  // Spellings of control tokens that do not end an answer.
  const std::vector<std::string>& controls() const { return controls_; }

 private:
  std::vector<std::string> texts_;  // by token; control tokens behind kControl; end tokens empty
  std::vector<Step> steps_;
  std::vector<std::int32_t> tokens_, end_tokens_;
  std::vector<std::string> controls_;
  std::size_t depth_ = 0;
};

}  // namespace pensieve::engine::constraint
