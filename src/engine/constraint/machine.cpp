// States are closed sets: every call is entered and every return taken until only byte edges are left.
#include "engine/constraint/machine.h"

#include <algorithm>
#include <set>
#include <utility>

namespace pensieve::engine::constraint {
namespace {

constexpr std::int32_t kEndOfText = 0;          // number of the returns of the root rule
constexpr std::size_t kMostPlaces = 20'000;     // in one state
constexpr std::size_t kMostLookedAt = 500'000;  // for one mask: some fifty milliseconds

}  // namespace

std::size_t Machine::Hash::operator()(const std::vector<Place>& places) const {
  std::uint64_t hash = 0x9E3779B97F4A7C15U;
  for (const Place& place : places) {
    hash ^= (static_cast<std::uint64_t>(static_cast<std::uint32_t>(place.node)) << 32) |
            static_cast<std::uint32_t>(place.returns);
    hash *= 0xFF51AFD7ED558CCDU;
    hash ^= hash >> 32;
  }
  return hash;
}

// One closure: returns of rules that are called in it are negative numbers until all callers are known.
class Machine::Closure {
 public:
  explicit Closure(Machine& machine) : machine_(machine), graph_(*machine.graph_) {}

  void add(Place place) {
    if (seen_.insert(place).second) work_.push_back(place);
  }

  State run() {
    while (!work_.empty()) {
      if (seen_.size() > kMostPlaces || ++machine_.looked_at_ > kMostLookedAt)
        throw Refusal("the constraint is too ambiguous to be followed");
      const Place place = work_.back();
      work_.pop_back();
      step(place);
    }
    std::vector<Place> places;
    for (const Place& place : seen_) {
      if (place.node < 0 || graph_.vertex(place.node).bytes.empty()) continue;
      places.push_back({place.node, place.returns < 0 ? settled(place.returns) : place.returns});
    }
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    return machine_.intern(std::move(places), may_end_);
  }

 private:
  struct Called {
    std::vector<Place> callers;  // where each returns to
    bool ended = false;          // its end was reached without a byte
    std::int32_t settled = -1;
  };

  void step(Place place) {
    if (place.node < 0) {
      may_end_ = true;
      return;
    }
    const Graph::Vertex& vertex = graph_.vertex(place.node);
    for (const Node to : vertex.nothing) add({to, place.returns});
    for (const Graph::Call& call : vertex.calls) enter(call, place.returns);
    if (machine_.is_exit_[static_cast<std::size_t>(place.node)] != 0) leave(place.returns);
  }

  void enter(const Graph::Call& call, std::int32_t returns) {
    const auto [found, fresh] = by_rule_.try_emplace(call.rule, static_cast<std::int32_t>(called_.size()));
    if (fresh) called_.emplace_back();
    Called& called = called_[static_cast<std::size_t>(found->second)];
    const std::int32_t number = -1 - found->second;
    const Place back{call.to, returns};
    if (std::find(called.callers.begin(), called.callers.end(), back) != called.callers.end()) return;
    called.callers.push_back(back);
    if (called.ended) add(back);
    if (fresh) add({graph_.part_of(call.rule).in, number});
  }

  void leave(std::int32_t returns) {
    if (returns >= 0) {
      for (const Place& back : machine_.returns_[static_cast<std::size_t>(returns)]) add(back);
      return;
    }
    Called& called = called_[static_cast<std::size_t>(-1 - returns)];
    if (std::exchange(called.ended, true)) return;
    for (const Place& back : called.callers) add(back);
  }

  // Callers never form a circle, as there is no left recursion.
  std::int32_t settled(std::int32_t returns) {
    Called& called = called_[static_cast<std::size_t>(-1 - returns)];
    if (called.settled >= 0) return called.settled;
    std::vector<Place> all;
    for (const Place& back : called.callers) {
      const std::int32_t outer = back.returns < 0 ? settled(back.returns) : back.returns;
      if (machine_.only_exit_[static_cast<std::size_t>(back.node)] != 0) {
        const std::vector<Place>& further = machine_.returns_[static_cast<std::size_t>(outer)];
        all.insert(all.end(), further.begin(), further.end());
      } else {
        all.push_back({back.node, outer});
      }
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return called.settled = machine_.intern_returns(std::move(all));
  }

  Machine& machine_;
  const Graph& graph_;
  std::set<Place> seen_;
  std::vector<Place> work_;
  std::unordered_map<Rule, std::int32_t> by_rule_;
  std::vector<Called> called_;
  bool may_end_ = false;
};

Machine::Machine(std::shared_ptr<const Graph> graph, Rule root)
    : graph_(std::move(graph)), root_(root), is_exit_(graph_->size(), 0), only_exit_(graph_->size(), 0) {
  for (std::size_t rule = 0; rule < graph_->rule_count(); ++rule) {
    const Node exit = graph_->part_of(static_cast<Rule>(rule)).out;
    if (exit >= 0) is_exit_[static_cast<std::size_t>(exit)] = 1;
  }
  // Chains of single edges that lead to an exit and nowhere else; followed a few steps.
  for (std::size_t node = 0; node < graph_->size(); ++node) {
    Node at = static_cast<Node>(node);
    for (int steps = 0; steps < 8; ++steps) {
      const Graph::Vertex& vertex = graph_->vertex(at);
      if (!vertex.bytes.empty() || !vertex.calls.empty()) break;
      if (is_exit_[static_cast<std::size_t>(at)] != 0) {
        only_exit_[node] = vertex.nothing.empty() ? 1 : 0;
        break;
      }
      if (vertex.nothing.size() != 1) break;
      at = vertex.nothing.front();
    }
  }
  intern_returns({{-1, 0}});
  intern({}, false);
  Closure closure(*this);
  closure.add({graph_->part_of(root).in, kEndOfText});
  start_ = closure.run();
}

State Machine::find_next(State state, std::uint8_t byte) {
  // All bytes that the same edges cover lead to the same state.
  int low = 0, high = 255;
  Closure closure(*this);
  bool any = false;
  for (const Place& place : states_[static_cast<std::size_t>(state)].places) {
    for (const Graph::Bytes& edge : graph_->vertex(place.node).bytes) {
      if (byte < edge.low) {
        high = std::min(high, edge.low - 1);
      } else if (byte > edge.high) {
        low = std::max(low, edge.high + 1);
      } else {
        low = std::max(low, static_cast<int>(edge.low));
        high = std::min(high, static_cast<int>(edge.high));
        closure.add({edge.to, place.returns});
        any = true;
      }
    }
  }
  const State to = any ? closure.run() : kDead;
  std::array<State, 256>& next = states_[static_cast<std::size_t>(state)].next;
  for (int b = low; b <= high; ++b) next[static_cast<std::size_t>(b)] = to;
  return to;
}

State Machine::intern(std::vector<Place> places, bool may_end) {
  auto& ids = state_ids_[may_end ? 1 : 0];
  const auto found = ids.find(places);
  if (found != ids.end()) return found->second;
  const auto number = static_cast<State>(states_.size());
  ids.emplace(places, number);
  Found state{std::move(places), may_end, {}};
  state.next.fill(state.places.empty() ? kDead : kUnknown);
  states_.push_back(std::move(state));
  return number;
}

std::int32_t Machine::intern_returns(std::vector<Place> returns) {
  const auto found = returns_ids_.find(returns);
  if (found != returns_ids_.end()) return found->second;
  const auto number = static_cast<std::int32_t>(returns_.size());
  returns_ids_.emplace(returns, number);
  returns_.push_back(std::move(returns));
  return number;
}

void Machine::keep_only(std::span<State* const> kept) {
  std::vector<Found> old = std::exchange(states_, {});
  state_ids_[0].clear();
  state_ids_[1].clear();
  intern({}, false);
  const Found& start = old[static_cast<std::size_t>(start_)];
  start_ = intern(start.places, start.may_end);
  for (State* state : kept) {
    if (*state == kDead) continue;
    const Found& found = old[static_cast<std::size_t>(*state)];
    *state = intern(found.places, found.may_end);
  }
}

}  // namespace pensieve::engine::constraint
