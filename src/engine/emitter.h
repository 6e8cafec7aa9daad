// Emitter: the answer of one choice from tokens to text that may be shown: whole UTF-8 characters, nothing of
// a stop string. Not for counting tokens against limits (engine.cpp) or for delivery (outbox.h). Thread rule:
// the engine's thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/generation.h"
#include "core/tokenizer.h"
#include "engine/stop_matcher.h"

namespace pensieve::engine {

class Emitter {
 public:
  // `shown_controls`: as in Request.
  Emitter(const Tokenizer& tokenizer, const std::vector<std::string>& stops,
          std::shared_ptr<const std::vector<std::int32_t>> shown_controls = nullptr)
      : tokenizer_(&tokenizer), matcher_(stops), shown_controls_(std::move(shown_controls)) {}

  // Adds a token's text. With `stops_count` a stop string that becomes complete ends the answer: true, text
  // from its first byte on is gone, and nothing may be added any more. Of several complete at one byte the
  // longest counts.
  bool add(std::int32_t token, std::optional<TokenLogprob> logprob, bool stops_count);
  // The bytes of the answer that a token stands for.
  std::string_view text_of(std::int32_t token) const;
  // The answer ends here: what was held back may be shown; an unfinished character becomes U+FFFD.
  void finish() { finished_ = true; }

  // What may be shown and was not yet: nothing, or text with the tokens whose last byte is in it.
  // Log-probabilities come with the text of their token; tokens that lie wholly in a stop string have none.
  std::optional<TextDelta> take();
  const std::string& stop() const { return stop_; }  // the string that ended the answer; empty: none

 private:
  struct Piece {               // a token whose last byte was not shown yet
    std::uint64_t begin, end;  // bytes of the answer
    std::optional<TokenLogprob> logprob;
  };
  std::size_t showable() const;  // bytes of held_
  bool shown_control(std::int32_t token) const;

  const Tokenizer* tokenizer_;
  StopMatcher matcher_;
  std::shared_ptr<const std::vector<std::int32_t>> shown_controls_;
  std::string held_;         // text not shown yet
  std::uint64_t shown_ = 0;  // bytes shown before it
  std::deque<Piece> pieces_;
  std::string stop_;
  std::int32_t uncounted_ = 0;  // tokens without text, for the next delta
  bool finished_ = false;
};

}  // namespace pensieve::engine
