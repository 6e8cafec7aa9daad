// Matching: greedy, backtracking over at most the runs of one alternative. Not the parser
// (pattern_parser.cpp).
#include "model/tokenizer/pattern.h"

#include <algorithm>
#include <bit>

#include "model/tokenizer/pattern_parser.h"

namespace pensieve::model {
namespace {

bool may_start(const PatternSequence& sequence, const Character& character);

bool may_start(const PatternNode& node, const Character& character) {
  switch (node.kind) {
    case PatternNode::Kind::run:
      return node.set.contains(character);
    case PatternNode::Kind::group:
      return std::any_of(
          node.alternatives.begin(), node.alternatives.end(),
          [&](const PatternSequence& alternative) { return may_start(alternative, character); });
    case PatternNode::Kind::absent:
    case PatternNode::Kind::end:
      return false;
  }
  return true;
}

bool may_start(const PatternSequence& sequence, const Character& character) {
  for (const PatternNode& node : sequence) {
    if (may_start(node, character)) return true;
    const bool repeats = node.kind == PatternNode::Kind::run || node.kind == PatternNode::Kind::group;
    if (repeats && node.least > 0) return false;
  }
  return false;  // an empty match is no match
}

}  // namespace

Result<Pattern> Pattern::parse(std::string_view expression) {
  auto alternatives = parse_pattern(expression);
  if (!alternatives) return tl::unexpected(alternatives.error());
  if (alternatives->size() > 32)
    return fail(Error::Code::internal, "a pre-tokenizer's pattern has over 32 alternatives");
  Pattern pattern;
  pattern.alternatives_ = std::move(*alternatives);
  for (char32_t value = 0; value < 128; ++value) {
    const Character character(value, classes_of(value));
    for (std::size_t i = 0; i < pattern.alternatives_.size(); ++i) {
      if (may_start(pattern.alternatives_[i], character)) pattern.starters_[value] |= 1U << i;
    }
  }
  return pattern;
}

std::size_t Pattern::match(Search& search, std::size_t at) const {
  ++search.work;
  const char32_t value = search.text[at].value();
  std::uint32_t candidates = value < 128 ? starters_[value] : ~std::uint32_t{0};
  if (alternatives_.size() < 32) candidates &= (1U << alternatives_.size()) - 1;
  for (; candidates != 0; candidates &= candidates - 1) {
    const auto index = static_cast<std::size_t>(std::countr_zero(candidates));
    if (at < search.failed_until[index]) continue;
    const PatternSequence& sequence = alternatives_[index];
    const std::size_t end = match_nodes(search, sequence, at);
    if (end != kNoMatch) return end;
    const PatternNode& first = sequence.front();
    if (first.kind == PatternNode::Kind::run && first.least <= 1 && first.most == kUnbounded) {
      search.failed_until[index] = at + run_length(search, first, at);
    }
  }
  return kNoMatch;
}

std::size_t Pattern::match_nodes(Search& search, Nodes nodes, std::size_t at) {
  for (; !nodes.empty(); nodes = nodes.subspan(1)) {
    const PatternNode& node = nodes.front();
    switch (node.kind) {
      case PatternNode::Kind::run:
        return match_run(search, nodes, at);
      case PatternNode::Kind::group:
        at = match_group(search, node, at);
        if (at == kNoMatch) return kNoMatch;
        break;
      case PatternNode::Kind::absent:
        ++search.work;
        if (at < search.text.size() && node.set.contains(search.text[at])) return kNoMatch;
        break;
      case PatternNode::Kind::end:
        if (at != search.text.size()) return kNoMatch;
        break;
    }
  }
  return at;
}

std::size_t Pattern::run_length(Search& search, const PatternNode& run, std::size_t at) {
  const std::size_t most = std::min<std::size_t>(run.most, search.text.size() - at);
  std::size_t count = 0;
  while (count < most && run.set.contains(search.text[at + count])) ++count;
  search.work += count + 1;
  return count;
}

std::size_t Pattern::match_run(Search& search, Nodes nodes, std::size_t at) {
  const PatternNode& run = nodes.front();
  const Nodes rest = nodes.subspan(1);
  std::size_t count = run_length(search, run, at);
  if (count < run.least) return kNoMatch;
  if (rest.empty()) return at + count;
  for (;; --count) {
    const std::size_t end = match_nodes(search, rest, at + count);
    if (end != kNoMatch || count == run.least) return end;
  }
}

std::size_t Pattern::match_group(Search& search, const PatternNode& group, std::size_t at) {
  for (std::uint32_t times = 0; times < group.most; ++times) {
    std::size_t end = kNoMatch;
    for (const PatternSequence& alternative : group.alternatives) {
      end = match_nodes(search, alternative, at);
      if (end != kNoMatch) break;
    }
    if (end == kNoMatch || end == at) return times < group.least ? kNoMatch : at;
    at = end;
  }
  return at;
}

}  // namespace pensieve::model
