// The walk over the vocabulary, and the keeping of what it found.
#include "engine/constraint/matcher.h"

#include <algorithm>
#include <array>

namespace pensieve::engine::constraint {
namespace {

constexpr std::size_t kMostStates = 20'000;  // about a kibibyte each
constexpr std::size_t kMostMaskBytes = std::size_t{48} << 20;

template <class Work>
auto refusable(Work&& work) -> Result<decltype(work())> {
  try {
    return work();
  } catch (const Refusal& refusal) {
    return fail(Error::Code::unsupported, refusal.what());
  }
}

}  // namespace

const std::vector<std::uint64_t>& Automaton::mask(State state) {
  const auto found = masks_.find(state);
  if (found != masks_.end()) return found->second;
  const std::size_t words = (trie_.vocabulary() + 63) / 64;
  if (masks_.size() * words * sizeof(std::uint64_t) > kMostMaskBytes) masks_.clear();
  std::vector<std::uint64_t> bits;
  if (const std::optional<std::size_t> characters = plain_ahead(state)) {
    bits = trie_.plain(*characters);
    walk(trie_.not_plain(), state, bits);
  } else {
    bits.assign(words, 0);
    walk(trie_.all(), state, bits);
  }
  if (machine_.may_end(state)) {
    for (const std::int32_t token : trie_.end_tokens()) allow(token, bits);
  }
  return masks_.emplace(state, std::move(bits)).first->second;
}

void Automaton::walk(const TokenTrie::Tree& tree, State state, std::vector<std::uint64_t>& bits) {
  path_.resize(trie_.depth() + 1);
  path_[0] = state;
  const std::vector<TokenTrie::Step>& steps = tree.steps();
  for (std::size_t i = 0; i < steps.size();) {
    const TokenTrie::Step& step = steps[i];
    const State next = machine_.next(path_[step.depth - 1U], step.byte);
    if (next == kDead) {
      i = static_cast<std::size_t>(step.skip);
      continue;
    }
    path_[step.depth] = next;
    for (std::int32_t t = step.first; t < step.last; ++t)
      allow(tree.tokens()[static_cast<std::size_t>(t)], bits);
    ++i;
  }
}

// How many plain characters may follow, whichever they are, as far as tokens go; nothing where it depends on
// which.
std::optional<std::size_t> Automaton::plain_ahead(State state) {
  for (std::size_t count = 0; count < TokenTrie::kMostPlain; ++count) {
    const State next = after_plain(state);
    if (next == kMixed) return std::nullopt;
    if (next == kDead) return count;
    if (next == state) break;
    state = next;
  }
  return TokenTrie::kMostPlain;
}

// Where every plain character leads; kMixed: not all to one state. UTF-8 as in table 3-7 of the Unicode
// standard.
State Automaton::after_plain(State state) {
  const auto [known, fresh] = after_plain_.try_emplace(state, kMixed);
  if (!fresh) return known->second;
  struct Lead {
    int low, high, second_low, second_high, tail;  // bytes after the second
  };
  constexpr std::array<Lead, 8> kLeads{{{0xC2, 0xDF, 0x80, 0xBF, 0},
                                        {0xE0, 0xE0, 0xA0, 0xBF, 1},
                                        {0xE1, 0xEC, 0x80, 0xBF, 1},
                                        {0xED, 0xED, 0x80, 0x9F, 1},
                                        {0xEE, 0xEF, 0x80, 0xBF, 1},
                                        {0xF0, 0xF0, 0x90, 0xBF, 2},
                                        {0xF1, 0xF3, 0x80, 0xBF, 2},
                                        {0xF4, 0xF4, 0x80, 0x8F, 2}}};
  const State to = machine_.next(state, 'a');
  for (int byte = 0x20; byte < 0x80; ++byte) {
    if (byte != '"' && byte != '\\' && machine_.next(state, static_cast<std::uint8_t>(byte)) != to)
      return kMixed;
  }
  for (const Lead& lead : kLeads) {
    for (int first = lead.low; first <= lead.high; ++first) {
      State at = machine_.next(state, static_cast<std::uint8_t>(first));
      int low = lead.second_low, high = lead.second_high;
      for (int left = lead.tail; left > 0; --left, low = 0x80, high = 0xBF) {
        at = common_next(at, low, high);
        if (at == kMixed) return kMixed;
      }
      if (common_next(at, low, high) != to) return kMixed;
    }
  }
  return after_plain_[state] = to;
}

State Automaton::common_next(State state, int low, int high) {
  const State to = machine_.next(state, static_cast<std::uint8_t>(low));
  for (int byte = low + 1; byte <= high; ++byte) {
    if (machine_.next(state, static_cast<std::uint8_t>(byte)) != to) return kMixed;
  }
  return to;
}

void Automaton::allow(std::int32_t token, std::vector<std::uint64_t>& bits) {
  bits[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (static_cast<std::size_t>(token) % 64);
}

void Automaton::tidy() {
  if (machine_.size() <= kMostStates) return;
  std::vector<State*> kept;
  for (Matcher* matcher : matchers_) kept.push_back(&matcher->state_);
  machine_.keep_only(kept);
  masks_.clear();
  after_plain_.clear();
}

Matcher::Matcher(std::shared_ptr<Automaton> automaton)
    : automaton_(std::move(automaton)), state_(automaton_->machine_.start()) {
  automaton_->matchers_.push_back(this);
}

Matcher::~Matcher() {
  std::erase(automaton_->matchers_, this);
}

Result<std::span<const std::uint64_t>> Matcher::allowed() {
  return refusable([this]() -> std::span<const std::uint64_t> {
    automaton_->tidy();
    automaton_->machine_.restart_count();
    return automaton_->mask(state_);
  });
}

Result<bool> Matcher::accept(std::int32_t token) {
  return accept_bytes(automaton_->trie_.text(token));
}

Result<bool> Matcher::accept_bytes(std::string_view bytes) {
  return refusable([&] {
    automaton_->machine_.restart_count();
    for (const char c : bytes) state_ = automaton_->machine_.next(state_, static_cast<std::uint8_t>(c));
    return state_ != kDead;
  });
}

bool Matcher::may_end() const {
  return automaton_->machine_.may_end(state_);
}

bool Matcher::must_end() const {
  return may_end() && !automaton_->machine_.may_go_on(state_);
}

}  // namespace pensieve::engine::constraint
