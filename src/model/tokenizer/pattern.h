// Pattern: the part of regular expressions that pre-tokenizers use, matched in near-linear time. Not a
// general engine: repeated groups do not give back what they took, there are no captures, and look-ahead is
// over one character.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/tokenizer/character_set.h"

namespace pensieve::model {

struct PatternNode;
using PatternSequence = std::vector<PatternNode>;

struct PatternNode {
  enum class Kind : std::uint8_t {
    run,     // `least` to `most` characters of `set`, as many as the rest allows
    group,   // `least` to `most` times the first alternative that matches
    absent,  // the next character, if any, is not in `set`
    end,     // the text ends here
  };
  Kind kind = Kind::run;
  std::uint32_t least = 1;
  std::uint32_t most = 1;
  CharacterSet set;
  std::vector<PatternSequence> alternatives;
};

// Thread rule: immutable; any thread may match.
class Pattern {
 public:
  static constexpr std::size_t kNoMatch = static_cast<std::size_t>(-1);
  static constexpr std::uint32_t kUnbounded = static_cast<std::uint32_t>(-1);

  // Syntax: literals, \p{L Lu Ll Lt Lm Lo M N P S Han}, \s \S \d \r \n \t, [sets] with ranges, ^ and
  // &&[^classes],
  // (?:...), (?i:...) over ASCII, (?!set), $, alternatives, and ? * + {m} {m,n}. Fails with `internal`:
  // patterns are ours.
  static Result<Pattern> parse(std::string_view expression);

  // Finds all matches in `text` from left to right and calls piece(first, last) for each match and each gap
  // between.
  template <class Piece>
  void split(std::span<const Character> text, Piece&& piece, std::uint64_t& work) const {
    Search search{text, work, std::vector<std::size_t>(alternatives_.size(), 0)};
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = match(search, at);
      if (end == kNoMatch || end == at) {
        ++at;
        continue;
      }
      if (done < at) piece(done, at);
      piece(at, end);
      done = at = end;
    }
    if (done < text.size()) piece(done, text.size());
  }

 private:
  struct Search {
    std::span<const Character> text;
    std::uint64_t& work;  // characters looked at: what the tests of linearity count
    // An alternative that begins with an open-ended run and failed at one place fails at every later place of
    // the same run (the ends it could stop at are a part of those tried): it is not tried again before this
    // position.
    std::vector<std::size_t> failed_until;
  };
  using Nodes = std::span<const PatternNode>;

  std::size_t match(Search& search, std::size_t at) const;
  static std::size_t match_nodes(Search& search, Nodes nodes, std::size_t at);
  static std::size_t match_run(Search& search, Nodes nodes, std::size_t at);
  static std::size_t match_group(Search& search, const PatternNode& group, std::size_t at);
  static std::size_t run_length(Search& search, const PatternNode& run, std::size_t at);

  std::vector<PatternSequence> alternatives_;  // at most 32
  std::array<std::uint32_t, 128> starters_{};  // by ASCII character: which alternatives could begin with it
};

}  // namespace pensieve::model
