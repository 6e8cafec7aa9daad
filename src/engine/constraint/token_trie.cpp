// Sorting puts each subtree in one run.
#include "engine/constraint/token_trie.h"

#include <algorithm>

namespace pensieve::engine::constraint {

TokenTrie::TokenTrie(const Tokenizer& tokenizer) {
  constexpr std::size_t kLongest = 1000;  // longer tokens are never offered
  const auto vocabulary = static_cast<std::size_t>(std::max(tokenizer.vocabulary(), 0));
  texts_.resize(vocabulary);
  std::vector<std::int32_t> order;
  for (std::int32_t token = 0; token < tokenizer.vocabulary(); ++token) {
    std::string& text = texts_[static_cast<std::size_t>(token)];
    if (tokenizer.is_end(token)) {
      end_tokens_.push_back(token);
      continue;
    }
    if (tokenizer.is_control(token)) {
      const std::string_view spelling = tokenizer.bytes(token, true);
      if (spelling.empty()) continue;
      controls_.emplace_back(spelling);
      text = kControl;
      text += spelling;
    } else {
      text = tokenizer.bytes(token, false);
    }
    if (!text.empty() && text.size() <= kLongest) order.push_back(token);
  }
  std::sort(order.begin(), order.end(), [this](std::int32_t a, std::int32_t b) { return text(a) < text(b); });
  std::vector<std::size_t> open;  // steps of the path to the last token
  std::string_view previous;
  for (const std::int32_t token : order) {
    const std::string_view text = this->text(token);
    const auto common = static_cast<std::size_t>(
        std::mismatch(previous.begin(), previous.end(), text.begin(), text.end()).first - previous.begin());
    for (; open.size() > common; open.pop_back())
      steps_[open.back()].skip = static_cast<std::int32_t>(steps_.size());
    for (std::size_t depth = common; depth < text.size(); ++depth) {
      open.push_back(steps_.size());
      const auto none = static_cast<std::int32_t>(tokens_.size());
      steps_.push_back(
          {static_cast<std::uint8_t>(text[depth]), static_cast<std::uint16_t>(depth + 1), 0, none, none});
    }
    tokens_.push_back(token);
    steps_[open.back()].last = static_cast<std::int32_t>(tokens_.size());
    depth_ = std::max(depth_, text.size());
    previous = text;
  }
  for (; !open.empty(); open.pop_back()) steps_[open.back()].skip = static_cast<std::int32_t>(steps_.size());
}

}  // namespace pensieve::engine::constraint
