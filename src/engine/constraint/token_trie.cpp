// Sorting puts each subtree in one run.
#include "engine/constraint/token_trie.h"

#include <algorithm>

#include "util/unicode.h"

namespace pensieve::engine::constraint {
namespace {

// How many plain characters a text has; 0 when it has others too, or too many.
std::size_t plain_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const util::CodePoint point = util::decode_utf8(text, at);
    const bool plain = point.valid && point.value >= 0x20 && point.value != '"' && point.value != '\\';
    if (!plain || count == TokenTrie::kMostPlain) return 0;
    at += point.size;
  }
  return count;
}

}  // namespace

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
  for (const std::int32_t token : order) depth_ = std::max(depth_, text(token).size());
  keep_plain_apart(order);
}

void TokenTrie::keep_plain_apart(const std::vector<std::int32_t>& order) {
  for (auto& bits : plain_) bits.assign((texts_.size() + 63) / 64, 0);
  std::vector<std::int32_t> others;
  for (const std::int32_t token : order) {
    const std::size_t characters = plain_characters(text(token));
    if (characters == 0) others.push_back(token);
    const auto index = static_cast<std::size_t>(token);
    for (std::size_t most = characters; most > 0 && most <= kMostPlain; ++most)
      plain_[most][index / 64] |= std::uint64_t{1} << (index % 64);
  }
  all_.build(*this, order);
  not_plain_.build(*this, others);
}

void TokenTrie::Tree::build(const TokenTrie& trie, const std::vector<std::int32_t>& order) {
  std::vector<std::size_t> open;  // steps of the path to the last token
  std::string_view previous;
  for (const std::int32_t token : order) {
    const std::string_view text = trie.text(token);
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
    previous = text;
  }
  for (; !open.empty(); open.pop_back()) steps_[open.back()].skip = static_cast<std::int32_t>(steps_.size());
}

}  // namespace pensieve::engine::constraint
