// PreTokenizer: cuts text into the pieces within which byte pairs may merge. Not a tokenizer: pieces have no
// ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "model/tokenizer/pattern.h"

namespace pensieve::model {

// Room for a split's intermediate results, kept by the caller to be used again.
struct PreTokenizerScratch {
  std::vector<Character> characters;
  std::vector<std::size_t> ends, next_ends;  // in characters
  std::uint64_t work = 0;                    // characters looked at since construction
};

// Passes are applied one after the other, each to every piece that the one before left.
// Thread rule: immutable; any thread may split, with a scratch of its own.
class PreTokenizer {
 public:
  // The expression that stands for a rule no expression of Pattern can say: runs of digits are cut into
  // threes from the right, as in 1 234 567.
  static constexpr std::string_view kDigitsByThousands = "<digits by thousands>";

  static Result<PreTokenizer> parse(std::span<const std::string_view> expressions);

  // Replaces `sizes` by the pieces' sizes in bytes; they add up to text.size(), and none is zero.
  void split(std::string_view text, PreTokenizerScratch& scratch, std::vector<std::size_t>& sizes) const;

 private:
  struct DigitsByThousands {};
  using Pass = std::variant<Pattern, DigitsByThousands>;

  std::vector<Pass> passes_;
};

}  // namespace pensieve::model
