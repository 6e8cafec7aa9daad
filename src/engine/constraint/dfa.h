// Dfa: a deterministic automaton over bytes, for what a Graph cannot express itself: both of two languages,
// all but one. Not for grammars: only parts without calls become one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/constraint/graph.h"

namespace pensieve::engine::constraint {

class Dfa {
 public:
  struct Edge {
    std::uint8_t low, high;
    std::int32_t to;
  };
  struct State {
    std::vector<Edge> edges;  // ascending, apart from one another
    bool accepts = false;
  };

  // `begins`: edges that may be taken only before the first byte, `ends` only after the last one.
  using Guarded = std::vector<std::pair<Node, Node>>;
  static Dfa of(const Graph& graph, Part part, const Guarded& begins = {}, const Guarded& ends = {});

  Dfa both(const Dfa& other) const;
  Dfa without(const Dfa& other) const;  // texts of this that are none of the other
  bool accepts(std::string_view bytes) const;
  bool empty() const;  // matches nothing
  Part emit(Graph& graph) const;

 private:
  template <class Accepts>
  static Dfa product(const Dfa& a, const Dfa& b, Accepts accepts);
  std::shared_ptr<Work> work_;  // of the graph that it was made of, and of what is made of it; may be null
  std::vector<State> states_;   // 0: start
};

}  // namespace pensieve::engine::constraint
