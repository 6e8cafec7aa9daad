// Subset construction and products, both limited in states.
#include "engine/constraint/dfa.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <utility>

namespace pensieve::engine::constraint {
namespace {

constexpr std::size_t kMostStates = 20'000;

void check(std::size_t states) {
  if (states > kMostStates)
    throw Refusal(fmt::format("a pattern is too complex: it needs more than {} states", kMostStates));
}

std::int32_t target(const Dfa::State& state, int byte) {
  for (const Dfa::Edge& edge : state.edges) {
    if (byte >= edge.low && byte <= edge.high) return edge.to;
  }
  return -1;
}

// Where ranges of bytes begin that all edges treat alike.
void mark(const Dfa::State& state, std::array<bool, 257>& begins) {
  for (const Dfa::Edge& edge : state.edges) {
    begins[edge.low] = true;
    begins[static_cast<std::size_t>(edge.high) + 1] = true;
  }
}

void append(Dfa::State& state, int low, int high, std::int32_t to) {
  std::vector<Dfa::Edge>& edges = state.edges;
  if (!edges.empty() && edges.back().to == to && edges.back().high + 1 == low) {
    edges.back().high = static_cast<std::uint8_t>(high);
  } else {
    edges.push_back({static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high), to});
  }
}

using Nodes = std::vector<Node>;

// Sets of nodes that are reached without a byte. Which nodes a set holds is marked with its number, so that
// no set must be searched.
class Closures {
 public:
  explicit Closures(const Graph& graph) : graph_(graph), seen_(graph.size(), 0) {}

  Nodes of(Nodes nodes, const Dfa::Guarded& extra) {
    ++round_;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (fresh(nodes[i])) nodes[kept++] = nodes[i];
    }
    nodes.resize(kept);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      graph_.work()->spend(2 + extra.size());
      for (const Node to : graph_.vertex(nodes[i]).nothing) {
        if (fresh(to)) nodes.push_back(to);
      }
      for (const auto& edge : extra) {
        if (edge.first == nodes[i] && fresh(edge.second)) nodes.push_back(edge.second);
      }
    }
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }

 private:
  bool fresh(Node node) { return std::exchange(seen_[static_cast<std::size_t>(node)], round_) != round_; }
  const Graph& graph_;
  std::vector<std::uint32_t> seen_;
  std::uint32_t round_ = 0;
};

struct NodesHash {
  std::size_t operator()(const Nodes& nodes) const {
    std::uint64_t hash = 0x9E3779B97F4A7C15U;
    for (const Node node : nodes) {
      hash = (hash ^ static_cast<std::uint32_t>(node)) * 0xFF51AFD7ED558CCDU;
      hash ^= hash >> 32;
    }
    return hash;
  }
};

Dfa::Guarded joined(Dfa::Guarded a, const Dfa::Guarded& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

Dfa Dfa::of(const Graph& graph, Part part, const Guarded& begins, const Guarded& ends) {
  Dfa dfa;
  dfa.work_ = graph.work();
  Closures closures(graph);
  std::unordered_map<Nodes, std::int32_t, NodesHash> numbers;
  std::vector<Nodes> sets;
  const auto number = [&](Nodes nodes, bool first) {
    const auto [found, fresh] = numbers.try_emplace(nodes, static_cast<std::int32_t>(sets.size()));
    if (!fresh) return found->second;
    check(sets.size());
    const Nodes at_end = closures.of(nodes, first ? joined(begins, ends) : ends);
    dfa.states_.push_back({{}, std::binary_search(at_end.begin(), at_end.end(), part.out)});
    sets.push_back(std::move(nodes));
    return found->second;
  };
  number(closures.of({part.in}, begins), true);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const Nodes nodes = sets[i];
    std::array<bool, 257> starts{};
    for (const Node node : nodes) {
      for (const Graph::Bytes& edge : graph.vertex(node).bytes) {
        starts[edge.low] = true;
        starts[static_cast<std::size_t>(edge.high) + 1] = true;
      }
    }
    for (int low = 0; low < 256;) {
      int high = low;
      while (high < 255 && !starts[static_cast<std::size_t>(high) + 1]) ++high;
      Nodes reached;
      graph.work()->spend(1 + nodes.size() / 8);
      for (const Node node : nodes) {
        for (const Graph::Bytes& edge : graph.vertex(node).bytes) {
          if (edge.low <= low && low <= edge.high) reached.push_back(edge.to);
        }
      }
      if (!reached.empty()) {
        const std::int32_t to = number(closures.of(std::move(reached), {}), false);
        append(dfa.states_[i], low, high, to);
      }
      low = high + 1;
    }
  }
  return dfa;
}

// States are pairs; -1 in a pair: that automaton has failed.
template <class Accepts>
Dfa Dfa::product(const Dfa& a, const Dfa& b, Accepts accepts) {
  using Pair = std::pair<std::int32_t, std::int32_t>;
  Dfa dfa;
  dfa.work_ = a.work_ ? a.work_ : b.work_;
  std::map<Pair, std::int32_t> numbers;
  std::vector<Pair> pairs;
  const State dead{};
  const auto state_of = [&dead](const Dfa& of, std::int32_t state) -> const State& {
    return state < 0 ? dead : of.states_[static_cast<std::size_t>(state)];
  };
  const auto number = [&](Pair pair) {
    const auto [found, fresh] = numbers.try_emplace(pair, static_cast<std::int32_t>(pairs.size()));
    if (!fresh) return found->second;
    check(pairs.size());
    pairs.push_back(pair);
    dfa.states_.push_back({{}, accepts(state_of(a, pair.first).accepts, state_of(b, pair.second).accepts)});
    return found->second;
  };
  number({0, 0});
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Pair pair = pairs[i];
    if (dfa.work_) dfa.work_->spend(20 + state_of(a, pair.first).edges.size() * 2);
    std::array<bool, 257> starts{};
    mark(state_of(a, pair.first), starts);
    mark(state_of(b, pair.second), starts);
    for (int low = 0; low < 256;) {
      int high = low;
      while (high < 255 && !starts[static_cast<std::size_t>(high) + 1]) ++high;
      const std::int32_t first = target(state_of(a, pair.first), low);
      if (first >= 0) {
        const std::int32_t to = number({first, target(state_of(b, pair.second), low)});
        append(dfa.states_[i], low, high, to);
      }
      low = high + 1;
    }
  }
  return dfa;
}

Dfa Dfa::both(const Dfa& other) const {
  return product(*this, other, [](bool a, bool b) { return a && b; });
}

Dfa Dfa::without(const Dfa& other) const {
  return product(*this, other, [](bool a, bool b) { return a && !b; });
}

bool Dfa::accepts(std::string_view bytes) const {
  std::int32_t state = 0;
  for (const char c : bytes) {
    state = target(states_[static_cast<std::size_t>(state)], static_cast<std::uint8_t>(c));
    if (state < 0) return false;
  }
  return states_[static_cast<std::size_t>(state)].accepts;
}

bool Dfa::empty() const {
  return std::none_of(states_.begin(), states_.end(), [](const State& state) { return state.accepts; });
}

Part Dfa::emit(Graph& graph) const {
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < states_.size(); ++i) nodes.push_back(graph.node());
  const Node out = graph.node();
  for (std::size_t i = 0; i < states_.size(); ++i) {
    for (const Edge& edge : states_[i].edges)
      graph.bytes(nodes[i], edge.low, edge.high, nodes[static_cast<std::size_t>(edge.to)]);
    if (states_[i].accepts) graph.nothing(nodes[i], out);
  }
  return {nodes.front(), out};
}

}  // namespace pensieve::engine::constraint
