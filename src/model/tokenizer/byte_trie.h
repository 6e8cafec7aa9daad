// ByteTrie: which texts of a set begin at a place, shorter ones first. Not for one exact text
// (token_index.h).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/tokenizer/merge_table.h"

namespace pensieve::model {

// Thread rule: immutable once filled; any thread may walk.
class ByteTrie {
 public:
  ByteTrie() = default;
  explicit ByteTrie(std::size_t bytes) : steps_(bytes) {}  // room for texts of that many bytes in all

  void insert(std::string_view text, std::int32_t token) {
    std::int32_t node = 0;
    for (const char letter : text) {
      const auto byte = static_cast<std::uint8_t>(letter);
      const MergeTable::Merge step = steps_.find(node, byte);
      if (step.token < 0) steps_.insert(node, byte, {0, ++last_});
      node = step.token < 0 ? last_ : step.token;
    }
    tokens_.resize(static_cast<std::size_t>(last_) + 1, -1);
    tokens_[static_cast<std::size_t>(node)] = token;
  }

  // Calls visit(size in bytes, token) for each text that `rest` begins with.
  template <class Visit>
  void walk(std::string_view rest, Visit&& visit) const {
    std::int32_t node = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      node = steps_.find(node, static_cast<std::uint8_t>(rest[i])).token;
      if (node < 0) return;
      const std::int32_t token = tokens_[static_cast<std::size_t>(node)];
      if (token >= 0) visit(i + 1, token);
    }
  }

 private:
  MergeTable steps_;  // (node, byte) to node; the root is 0
  std::vector<std::int32_t> tokens_{-1};
  std::int32_t last_ = 0;
};

}  // namespace pensieve::model
