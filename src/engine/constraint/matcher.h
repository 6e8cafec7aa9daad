// Matcher: which tokens may come next in one answer, so that it satisfies a constraint in the end. Masks are
// kept by state. Where any plain character may follow, as inside of strings, only the tokens that hold others
// are walked through. Thread rule: matchers of one
// Automaton on one thread at a time (the engine's).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "engine/constraint/compile.h"
#include "engine/constraint/machine.h"
#include "engine/constraint/token_trie.h"

namespace pensieve::engine::constraint {

class Matcher;

// What the matchers of one request share.
class Automaton {
 public:
  // May throw Refusal. `trie` must outlive it.
  Automaton(const Program& program, const TokenTrie& trie)
      : machine_(program.graph, program.root), trie_(trie) {}
  Automaton(const Automaton&) = delete;
  Automaton& operator=(const Automaton&) = delete;

 private:
  friend class Matcher;
  static constexpr State kMixed = -2;
  const std::vector<std::uint64_t>& mask(State state);
  void walk(const TokenTrie::Tree& tree, State state, std::vector<std::uint64_t>& bits);
  std::optional<std::size_t> plain_ahead(State state);
  State after_plain(State state);
  State common_next(State state, int low, int high);
  static void allow(std::int32_t token, std::vector<std::uint64_t>& bits);
  void tidy();

  Machine machine_;
  const TokenTrie& trie_;
  std::unordered_map<State, std::vector<std::uint64_t>> masks_;
  std::unordered_map<State, State> after_plain_;
  std::vector<State> path_;
  std::vector<Matcher*> matchers_;
};

class Matcher {
 public:
  explicit Matcher(std::shared_ptr<Automaton> automaton);
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // One bit for each token, from the lowest bit of the first word on; valid until the next call of any
  // matcher of the automaton. Errors: the constraint is too ambiguous to be followed.
  Result<std::span<const std::uint64_t>> allowed();
  // Takes a token; false: it was not allowed, and the matcher is of no use any more.
  Result<bool> accept(std::int32_t token);
  Result<bool> accept_bytes(std::string_view bytes);
  bool may_end() const;
  bool must_end() const;  // nothing but the end is possible

 private:
  friend class Automaton;
  std::shared_ptr<Automaton> automaton_;
  State state_;
};

}  // namespace pensieve::engine::constraint
