// SpecialSplitter: finds special tokens in text and leaves the stretches between them. Shared by all
// tokenizer families; not a tokenizer for those stretches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {

struct TextSpan {
  std::string_view text;  // empty for a token
  std::int32_t token = -1;
};

// Thread rule: immutable; any thread may split.
class SpecialSplitter {
 public:
  SpecialSplitter() = default;
  explicit SpecialSplitter(const Vocabulary& vocabulary);  // keeps no reference

  // Replaces `out` by spans in text order. Longer tokens are found first in the whole text, whatever stands
  // to the left, as the field does; user-defined ones always, hidden ones only with parse_special.
  void split(std::string_view text, bool parse_special, std::vector<TextSpan>& out) const;

 private:
  struct Token {
    std::int32_t id;
    std::uint32_t size;
    std::int32_t shorter = -1;  // the longest token that begins this one, as an index here
    bool strip_left, strip_right;
  };
  struct Node {  // of a trie, children as a list of siblings
    std::uint8_t byte = 0;
    std::int32_t token = -1;
    std::uint32_t child = 0, sibling = 0;  // 0: none (the root is nobody's child)
  };
  struct Trie {
    std::vector<Token> tokens;
    std::vector<Node> nodes{1};
    bool starts[256] = {};
  };
  struct Found {
    std::size_t at;
    std::int32_t token;
  };

  static void insert(Trie& trie, const VocabularyToken& token, std::int32_t id);
  static void link_shorter(Trie& trie);
  static std::uint32_t child_of(const Trie& trie, std::uint32_t node, std::uint8_t byte);
  static std::vector<Found> longest_at_each_place(const Trie& trie, std::string_view text);
  static std::vector<Found> choose(const Trie& trie, std::string_view text, std::vector<Found> candidates,
                                   std::vector<bool>& taken);

  Trie always_;
  Trie all_;
};

}  // namespace pensieve::model
