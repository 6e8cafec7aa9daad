// A trie finds the longest token at each place; then places are granted by length, and a place whose longest
// token lost tries the next shorter one. Near-linear: special tokens have at most 1024 bytes. Not for
// ordinary tokens.
#include "model/tokenizer/special_splitter.h"

#include <algorithm>
#include <functional>
#include <map>

namespace pensieve::model {
namespace {

bool is_ascii_space(char letter) {
  return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

}  // namespace

SpecialSplitter::SpecialSplitter(const Vocabulary& vocabulary) {
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (!token.special()) continue;
    insert(all_, token, id);
    if (!token.hidden()) insert(always_, token, id);
  }
  link_shorter(always_);
  link_shorter(all_);
}

std::uint32_t SpecialSplitter::child_of(const Trie& trie, std::uint32_t node, std::uint8_t byte) {
  std::uint32_t child = trie.nodes[node].child;
  while (child != 0 && trie.nodes[child].byte != byte) child = trie.nodes[child].sibling;
  return child;
}

void SpecialSplitter::insert(Trie& trie, const VocabularyToken& token, std::int32_t id) {
  std::uint32_t node = 0;
  for (const char letter : token.text) {
    const auto byte = static_cast<std::uint8_t>(letter);
    std::uint32_t child = child_of(trie, node, byte);
    if (child == 0) {
      child = static_cast<std::uint32_t>(trie.nodes.size());
      trie.nodes.push_back({byte, -1, 0, trie.nodes[node].child});
      trie.nodes[node].child = child;
    }
    node = child;
  }
  trie.starts[static_cast<std::uint8_t>(token.text.front())] = true;
  trie.nodes[node].token = static_cast<std::int32_t>(trie.tokens.size());
  trie.tokens.push_back(
      {id, static_cast<std::uint32_t>(token.text.size()), -1, token.strip_left, token.strip_right});
}

void SpecialSplitter::link_shorter(Trie& trie) {
  // Depth first without recursion: a hostile token could be deep. Each entry: node, nearest token above it.
  std::vector<std::pair<std::uint32_t, std::int32_t>> open{{0, -1}};
  while (!open.empty()) {
    auto [node, above] = open.back();
    open.pop_back();
    const std::int32_t token = trie.nodes[node].token;
    if (token >= 0) {
      trie.tokens[static_cast<std::size_t>(token)].shorter = above;
      above = token;
    }
    for (std::uint32_t child = trie.nodes[node].child; child != 0; child = trie.nodes[child].sibling) {
      open.emplace_back(child, above);
    }
  }
}

std::vector<SpecialSplitter::Found> SpecialSplitter::longest_at_each_place(const Trie& trie,
                                                                           std::string_view text) {
  std::vector<Found> found;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!trie.starts[static_cast<std::uint8_t>(text[at])]) continue;
    std::int32_t longest = -1;
    std::uint32_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
      node = child_of(trie, node, static_cast<std::uint8_t>(text[i]));
      if (node == 0) break;
      if (trie.nodes[node].token >= 0) longest = trie.nodes[node].token;
    }
    if (longest >= 0) found.push_back({at, longest});
  }
  return found;
}

std::vector<SpecialSplitter::Found> SpecialSplitter::choose(const Trie& trie, std::string_view text,
                                                            std::vector<Found> candidates,
                                                            std::vector<bool>& taken) {
  const auto token_of = [&trie](const Found& found) -> const Token& {
    return trie.tokens[static_cast<std::size_t>(found.token)];
  };
  std::map<std::uint32_t, std::vector<Found>, std::greater<>> by_size;
  for (const Found& found : candidates) by_size[token_of(found).size].push_back(found);
  std::vector<Found> chosen;
  while (!by_size.empty()) {
    const std::uint32_t size = by_size.begin()->first;
    std::vector<Found> places = std::move(by_size.begin()->second);
    by_size.erase(by_size.begin());
    std::sort(places.begin(), places.end(), [](const Found& a, const Found& b) { return a.at < b.at; });
    for (const Found& place : places) {
      const Token& token = token_of(place);
      // All that is taken so far is at least this long, so it cannot lie strictly inside.
      if (taken[place.at] || taken[place.at + size - 1]) {
        if (token.shorter >= 0) {
          by_size[trie.tokens[static_cast<std::size_t>(token.shorter)].size].push_back(
              {place.at, token.shorter});
        }
        continue;
      }
      std::size_t first = place.at;
      std::size_t last = place.at + size;
      while (token.strip_left && first > 0 && !taken[first - 1] && is_ascii_space(text[first - 1])) --first;
      while (token.strip_right && last < text.size() && !taken[last] && is_ascii_space(text[last])) ++last;
      for (std::size_t i = first; i < last; ++i) taken[i] = true;
      chosen.push_back(place);
    }
  }
  std::sort(chosen.begin(), chosen.end(), [](const Found& a, const Found& b) { return a.at < b.at; });
  return chosen;
}

void SpecialSplitter::split(std::string_view text, bool parse_special, std::vector<TextSpan>& out) const {
  out.clear();
  if (text.empty()) return;
  const Trie& trie = parse_special ? all_ : always_;
  std::vector<Found> candidates = longest_at_each_place(trie, text);
  if (candidates.empty()) {
    out.push_back({text, -1});
    return;
  }
  std::vector<bool> taken(text.size(), false);
  const std::vector<Found> chosen = choose(trie, text, std::move(candidates), taken);
  std::size_t at = 0;
  // Stripped white space is taken but no token: it is left out on both sides.
  const auto plain_until = [&](std::size_t end) {
    while (at < end && taken[at]) ++at;
    std::size_t last = at;
    while (last < end && !taken[last]) ++last;
    if (at < last) out.push_back({text.substr(at, last - at), -1});
  };
  for (const Found& found : chosen) {
    const Token& token = trie.tokens[static_cast<std::size_t>(found.token)];
    plain_until(found.at);
    out.push_back({{}, token.id});
    at = found.at + token.size;
  }
  plain_until(text.size());
}

}  // namespace pensieve::model
