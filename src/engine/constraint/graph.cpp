// Building blocks of automata and the checks that a whole grammar must pass.
#include "engine/constraint/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace pensieve::engine::constraint {
namespace {

constexpr std::size_t kMostNodes = 400'000;
constexpr std::size_t kMostRules = 10'000;
constexpr std::size_t kNodeSteps = 3, kCheckSteps = 4;  // of a node, made and checked at the end

constexpr char32_t kLast = 0x10FFFF;

// Byte sequences of a range of code points of one length, from the byte at `index` on.
struct Utf8 {
  std::array<std::uint8_t, 4> bytes{};
  std::size_t size = 0;
};
Utf8 encode(char32_t c) {
  const auto byte = [](char32_t value) { return static_cast<std::uint8_t>(value); };
  if (c < 0x80) return {{byte(c)}, 1};
  if (c < 0x800) return {{byte(0xC0 | (c >> 6)), byte(0x80 | (c & 63))}, 2};
  if (c < 0x10000) return {{byte(0xE0 | (c >> 12)), byte(0x80 | ((c >> 6) & 63)), byte(0x80 | (c & 63))}, 3};
  return {{byte(0xF0 | (c >> 18)), byte(0x80 | ((c >> 12) & 63)), byte(0x80 | ((c >> 6) & 63)),
           byte(0x80 | (c & 63))},
          4};
}

void add_bytes(Graph& graph, Node from, const Utf8& low, const Utf8& high, std::size_t index, Node to) {
  const std::uint8_t a = low.bytes[index], b = high.bytes[index];
  if (index + 1 == low.size) return graph.bytes(from, a, b, to);
  if (a == b) {
    const Node next = graph.node();
    graph.bytes(from, a, a, next);
    return add_bytes(graph, next, low, high, index + 1, to);
  }
  Utf8 low_end = low, high_begin = high;
  for (std::size_t i = index + 1; i < low.size; ++i) {
    low_end.bytes[i] = 0xBF;
    high_begin.bytes[i] = 0x80;
  }
  const auto branch = [&](std::uint8_t first, std::uint8_t last, const Utf8& from_bytes,
                          const Utf8& to_bytes) {
    const Node next = graph.node();
    graph.bytes(from, first, last, next);
    add_bytes(graph, next, from_bytes, to_bytes, index + 1, to);
  };
  const auto tail_is = [index](const Utf8& bytes, std::uint8_t value) {
    for (std::size_t i = index + 1; i < bytes.size; ++i) {
      if (bytes.bytes[i] != value) return false;
    }
    return true;
  };
  std::uint8_t begin = a, end = b;
  if (!tail_is(low, 0x80)) {
    branch(a, a, low, low_end);
    ++begin;
  }
  if (!tail_is(high, 0xBF)) {
    branch(b, b, high_begin, high);
    --end;
  }
  if (begin <= end) branch(begin, end, high_begin, low_end);
}

}  // namespace

void CharSet::add(char32_t low, char32_t high) {
  if (low > high) return;
  ranges_.push_back({low, std::min(high, kLast)});
  normalise();
}

void CharSet::add(const CharSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  normalise();
}

void CharSet::normalise() {
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
  std::vector<Range> merged;
  for (const Range& range : ranges_) {
    if (!merged.empty() && range.low <= merged.back().high + 1) {
      merged.back().high = std::max(merged.back().high, range.high);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
}

void CharSet::negate() {
  CharSet excluded = *this;
  excluded.add(0xD800, 0xDFFF);
  std::vector<Range> rest;
  char32_t next = 0;
  for (const Range& range : excluded.ranges_) {
    if (range.low > next) rest.push_back({next, range.low - 1});
    next = range.high + 1;
  }
  if (next <= kLast) rest.push_back({next, kLast});
  ranges_ = std::move(rest);
}

CharSet CharSet::any() {
  CharSet set;
  set.negate();
  return set;
}

void CharSet::fold_case() {
  const std::vector<Range> before = ranges_;
  for (const Range& range : before) {
    const auto overlap = [&](char32_t first, char32_t last, auto other) {
      const char32_t low = std::max(range.low, first), high = std::min(range.high, last);
      if (low <= high) add(other(low), other(high));
    };
    overlap(U'a', U'z', [](char32_t c) { return c - 32; });
    overlap(U'A', U'Z', [](char32_t c) { return c + 32; });
  }
}

Node Graph::node() {
  if (nodes_.size() >= kMostNodes)
    throw Refusal(fmt::format("the constraint is too large: it needs more than {} states", kMostNodes));
  work_->spend(kNodeSteps);
  nodes_.emplace_back();
  return static_cast<Node>(nodes_.size() - 1);
}

Rule Graph::declare() {
  if (rules_.size() >= kMostRules)
    throw Refusal(fmt::format("the constraint is too large: it has more than {} rules", kMostRules));
  rules_.push_back({-1, -1});
  return static_cast<Rule>(rules_.size() - 1);
}

Part Graph::empty() {
  const Node only = node();
  return {only, only};
}

Part Graph::literal(std::string_view bytes) {
  Part part = empty();
  for (const char c : bytes) {
    const Node next = node();
    this->bytes(part.out, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), next);
    part.out = next;
  }
  return part;
}

Part Graph::characters(const CharSet& set) {
  constexpr std::array<std::pair<char32_t, char32_t>, 5> kLengths{
      {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, kLast}}};
  const Part part{node(), node()};
  for (const CharSet::Range& range : set.ranges()) {
    for (const auto& length : kLengths) {
      const char32_t low = std::max(range.low, length.first), high = std::min(range.high, length.second);
      if (low <= high) add_bytes(*this, part.in, encode(low), encode(high), 0, part.out);
    }
  }
  return part;
}

Part Graph::call(Rule rule) {
  const Part part{node(), node()};
  call(part.in, rule, part.out);
  return part;
}

Part Graph::sequence(const std::vector<Part>& parts) {
  if (parts.empty()) return empty();
  for (std::size_t i = 1; i < parts.size(); ++i) nothing(parts[i - 1].out, parts[i].in);
  return {parts.front().in, parts.back().out};
}

Part Graph::choice(const std::vector<Part>& parts) {
  const Part all{node(), node()};
  for (const Part& part : parts) {
    nothing(all.in, part.in);
    nothing(part.out, all.out);
  }
  return all;
}

Part Graph::optional(Part part) {
  return choice({part, empty()});
}

Part Graph::star(Part part) {
  const Part all{node(), node()};
  nothing(all.in, part.in);
  nothing(part.out, all.in);
  nothing(all.in, all.out);
  return all;
}

Part Graph::repeat(const std::function<Part()>& make, std::int64_t least, std::int64_t most) {
  Part all = empty();
  const auto append = [&](Part part) {
    nothing(all.out, part.in);
    all.out = part.out;
  };
  for (std::int64_t i = 0; i < least; ++i) append(make());
  if (most < 0) {
    append(star(make()));
    return all;
  }
  const Node end = node();
  for (std::int64_t i = least; i < most; ++i) {
    nothing(all.out, end);
    append(make());
  }
  nothing(all.out, end);
  return {all.in, end};
}

// Backwards from the ends of all rules. A call can be passed once its rule can end; until then it waits.
Graph::Ending Graph::what_can_end() const {
  std::vector<std::vector<Node>> from(nodes_.size());
  struct Caller {
    Node node;
    Rule rule;
  };
  std::vector<std::vector<Caller>> calls_to(nodes_.size());
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const auto here = static_cast<Node>(n);
    for (const Node to : nodes_[n].nothing) from[static_cast<std::size_t>(to)].push_back(here);
    for (const Bytes& edge : nodes_[n].bytes) from[static_cast<std::size_t>(edge.to)].push_back(here);
    for (const Call& edge : nodes_[n].calls)
      calls_to[static_cast<std::size_t>(edge.to)].push_back({here, edge.rule});
  }
  std::vector<std::vector<Rule>> begins(nodes_.size());  // rules by their first node
  Ending ending{std::vector<char>(nodes_.size(), 0), std::vector<char>(rules_.size(), 0)};
  std::vector<std::vector<Node>> waiting(rules_.size());
  std::vector<Node> work;
  for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
    if (rules_[rule].in >= 0)
      begins[static_cast<std::size_t>(rules_[rule].in)].push_back(static_cast<Rule>(rule));
    if (rules_[rule].out >= 0) work.push_back(rules_[rule].out);
  }
  while (!work.empty()) {
    const auto node = static_cast<std::size_t>(work.back());
    work.pop_back();
    if (std::exchange(ending.nodes[node], 1) != 0) continue;
    work.insert(work.end(), from[node].begin(), from[node].end());
    for (const Caller& caller : calls_to[node]) {
      const auto rule = static_cast<std::size_t>(caller.rule);
      (ending.rules[rule] != 0 ? work : waiting[rule]).push_back(caller.node);
    }
    for (const Rule rule : begins[node]) {
      ending.rules[static_cast<std::size_t>(rule)] = 1;
      const std::vector<Node>& callers = waiting[static_cast<std::size_t>(rule)];
      work.insert(work.end(), callers.begin(), callers.end());
    }
  }
  return ending;
}

void Graph::finish(Rule root, const std::function<std::string(Rule)>& name) {
  work_->spend(kCheckSteps * nodes_.size());
  refuse_left_recursion(name);
  const Ending ending = what_can_end();
  if (ending.rules[static_cast<std::size_t>(root)] == 0) throw Refusal("nothing can satisfy the constraint");
  for (Vertex& vertex : nodes_) {
    const auto dead = [&ending](Node node) { return ending.nodes[static_cast<std::size_t>(node)] == 0; };
    std::erase_if(vertex.nothing, dead);
    std::erase_if(vertex.bytes, [&](const Bytes& edge) { return dead(edge.to); });
    std::erase_if(vertex.calls, [&](const Call& edge) {
      return dead(edge.to) || ending.rules[static_cast<std::size_t>(edge.rule)] == 0;
    });
  }
}

// A rule that reaches a call of itself before any byte would be expanded without end.
void Graph::refuse_left_recursion(const std::function<std::string(Rule)>& name) const {
  std::vector<char> nullable(rules_.size(), 0);
  std::vector<std::vector<Rule>> begins_with(rules_.size());
  std::vector<std::uint32_t> seen(nodes_.size(), 0);  // the visit that saw a node last
  std::uint32_t round = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
      if (rules_[rule].in < 0) continue;
      begins_with[rule].clear();
      ++round;
      std::vector<Node> work{rules_[rule].in};
      while (!work.empty()) {
        const Node node = work.back();
        work.pop_back();
        if (std::exchange(seen[static_cast<std::size_t>(node)], round) == round) continue;
        work_->spend(1);
        if (node == rules_[rule].out && std::exchange(nullable[rule], 1) == 0) changed = true;
        work.insert(work.end(), vertex(node).nothing.begin(), vertex(node).nothing.end());
        for (const Call& edge : vertex(node).calls) {
          begins_with[rule].push_back(edge.rule);
          if (nullable[static_cast<std::size_t>(edge.rule)] != 0) work.push_back(edge.to);
        }
      }
    }
  }
  std::vector<char> state(rules_.size(), 0);  // 1: on the way, 2: done
  const std::function<void(Rule)> visit = [&](Rule rule) {
    const auto index = static_cast<std::size_t>(rule);
    if (state[index] == 2) return;
    if (state[index] == 1)
      throw Refusal(
          fmt::format("{} is left-recursive, which is not supported; write it as a repetition", name(rule)));
    state[index] = 1;
    for (const Rule next : begins_with[index]) visit(next);
    state[index] = 2;
  };
  for (std::size_t rule = 0; rule < rules_.size(); ++rule) visit(static_cast<Rule>(rule));
}

}  // namespace pensieve::engine::constraint
