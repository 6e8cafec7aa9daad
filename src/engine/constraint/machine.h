// Machine: runs a Graph over bytes. A state is a set of places in the graph, each with the calls that it must
// return to; states are found once and numbered, so that text in a loop (the inside of a string, say) runs on
// a table. Calls are kept as shared, numbered lists of returns (a graph-structured stack), so that ambiguity
// costs no more states than the grammar has places. Not for tokens: matcher.h. Thread rule: one thread at a
// time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/constraint/graph.h"

namespace pensieve::engine::constraint {

using State = std::int32_t;
inline constexpr State kDead = 0;  // no continuation matches

class Machine {
 public:
  Machine(std::shared_ptr<const Graph> graph, Rule root);
  State start() const { return start_; }
  State next(State state, std::uint8_t byte) {
    const State known = states_[static_cast<std::size_t>(state)].next[byte];
    return known != kUnknown ? known : find_next(state, byte);
  }
  bool may_end(State state) const { return states_[static_cast<std::size_t>(state)].may_end; }
  bool may_go_on(State state) const { return !states_[static_cast<std::size_t>(state)].places.empty(); }
  // States and returns found so far; a holder of states may rebuild the machine when there are too many.
  std::size_t size() const { return states_.size(); }
  // Places that finding states has looked at since the last call of this; too many of them between two calls
  // are refused, as the engine waits meanwhile.
  void restart_count() { looked_at_ = 0; }
  // Forgets every state but these, which get new numbers.
  void keep_only(std::span<State* const> kept);

 private:
  static constexpr State kUnknown = -1;
  struct Place {
    Node node;
    std::int32_t returns;  // of the rule that the node is in
    auto operator<=>(const Place&) const = default;
  };
  struct Found {
    std::vector<Place> places;
    bool may_end = false;
    std::array<State, 256> next;
  };
  struct Hash {
    std::size_t operator()(const std::vector<Place>& places) const;
  };
  class Closure;

  State find_next(State state, std::uint8_t byte);
  State intern(std::vector<Place> places, bool may_end);
  std::int32_t intern_returns(std::vector<Place> returns);

  std::shared_ptr<const Graph> graph_;
  Rule root_;
  std::vector<char> is_exit_;  // the last node of some rule
  std::vector<char>
      only_exit_;  // nothing follows in its rule: a call that returns here need not be remembered
  // Returns: where to go on after a rule, as (node, returns of that node's rule). {(-1, 0)}: the end of the
  // text.
  std::vector<std::vector<Place>> returns_;
  std::unordered_map<std::vector<Place>, std::int32_t, Hash> returns_ids_;
  std::vector<Found> states_;
  std::unordered_map<std::vector<Place>, State, Hash> state_ids_[2];  // by may_end
  State start_ = kDead;
  std::size_t looked_at_ = 0;
};

}  // namespace pensieve::engine::constraint
