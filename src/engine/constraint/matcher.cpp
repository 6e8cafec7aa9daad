// The walk over the vocabulary, and the keeping of what it found.
#include "engine/constraint/matcher.h"

#include <algorithm>

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
  std::vector<std::uint64_t> bits(words, 0);
  const auto allow = [&bits](std::int32_t token) {
    bits[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (static_cast<std::size_t>(token) % 64);
  };
  path_.resize(trie_.depth() + 1);
  path_[0] = state;
  const std::vector<TokenTrie::Step>& steps = trie_.steps();
  for (std::size_t i = 0; i < steps.size();) {
    const TokenTrie::Step& step = steps[i];
    const State next = machine_.next(path_[step.depth - 1U], step.byte);
    if (next == kDead) {
      i = static_cast<std::size_t>(step.skip);
      continue;
    }
    path_[step.depth] = next;
    for (std::int32_t t = step.first; t < step.last; ++t) allow(trie_.tokens()[static_cast<std::size_t>(t)]);
    ++i;
  }
  if (machine_.may_end(state)) {
    for (const std::int32_t token : trie_.end_tokens()) allow(token);
  }
  return masks_.emplace(state, std::move(bits)).first->second;
}

void Automaton::tidy() {
  if (machine_.size() <= kMostStates) return;
  std::vector<State*> kept;
  for (Matcher* matcher : matchers_) kept.push_back(&matcher->state_);
  machine_.keep_only(kept);
  masks_.clear();
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
