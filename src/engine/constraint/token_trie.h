// TokenTrie: the vocabulary as a tree of bytes, flattened in preorder, so that one walk tells which tokens a
// state allows. Built once for each model. Thread rule: immutable; any thread may read.
#pragma once

#include <array>
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

  // Tokens of at most this many plain characters are kept apart too: nearly all of a vocabulary, and inside a
  // string they are allowed or not by their length alone. Plain: a whole character that stands for itself in
  // JSON strings, that is, no quote, no backslash and nothing below U+0020.
  static constexpr std::size_t kMostPlain = 32;

  // A tree of tokens.
  class Tree {
   public:
    const std::vector<Step>& steps() const { return steps_; }
    const std::vector<std::int32_t>& tokens() const { return tokens_; }

   private:
    friend class TokenTrie;
    void build(const TokenTrie& trie, const std::vector<std::int32_t>& order);  // sorted by text
    std::vector<Step> steps_;
    std::vector<std::int32_t> tokens_;
  };

  explicit TokenTrie(const Tokenizer& tokenizer);
  const Tree& all() const { return all_; }
  const Tree& not_plain() const { return not_plain_; }
  // A bit for each token of 1 to `characters` plain characters; 0 to kMostPlain of them.
  const std::vector<std::uint64_t>& plain(std::size_t characters) const { return plain_[characters]; }
  const std::vector<std::int32_t>& end_tokens() const { return end_tokens_; }
  std::size_t depth() const { return depth_; }
  std::size_t vocabulary() const { return texts_.size(); }
  std::string_view text(std::int32_t token) const { return texts_[static_cast<std::size_t>(token)]; }
  // Spellings of control tokens that do not end an answer.
  const std::vector<std::string>& controls() const { return controls_; }

 private:
  void keep_plain_apart(const std::vector<std::int32_t>& order);
  std::vector<std::string> texts_;  // by token; control tokens behind kControl; end tokens empty
  Tree all_, not_plain_;
  std::array<std::vector<std::uint64_t>, kMostPlain + 1> plain_;
  std::vector<std::int32_t> end_tokens_;
  std::vector<std::string> controls_;
  std::size_t depth_ = 0;
};

}  // namespace pensieve::engine::constraint
