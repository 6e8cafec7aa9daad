// Graph: a grammar as data: rules over bytes, each a small automaton whose edges are byte ranges, nothing, or
// calls of rules. What every kind of constraint is compiled to. Not its execution: machine.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "engine/constraint/work.h"

namespace pensieve::engine::constraint {

using Node = std::int32_t;
using Rule = std::int32_t;

struct Part {  // a piece of automaton with one way in and one way out
  Node in, out;
};

// A set of code points as ascending ranges, apart from one another.
class CharSet {
 public:
  struct Range {
    char32_t low, high;
  };
  void add(char32_t low, char32_t high);
  void add(const CharSet& other);
  void negate();     // within U+0000 … U+10FFFF without surrogates
  void fold_case();  // adds the other case of ASCII letters
  bool empty() const { return ranges_.empty(); }
  const std::vector<Range>& ranges() const { return ranges_; }
  static CharSet any();

 private:
  void normalise();
  std::vector<Range> ranges_;
};

class Graph {
 public:
  struct Bytes {
    std::uint8_t low, high;
    Node to;
  };
  struct Call {
    Rule rule;
    Node to;
  };
  struct Vertex {
    std::vector<Node> nothing;
    std::vector<Bytes> bytes;
    std::vector<Call> calls;
  };

  explicit Graph(std::shared_ptr<Work> work = std::make_shared<Work>()) : work_(std::move(work)) {}
  const std::shared_ptr<Work>& work() const { return work_; }

  Node node();
  void nothing(Node from, Node to) { at(from).nothing.push_back(to); }
  void bytes(Node from, std::uint8_t low, std::uint8_t high, Node to) {
    at(from).bytes.push_back({low, high, to});
  }
  void call(Node from, Rule rule, Node to) { at(from).calls.push_back({rule, to}); }

  Rule declare();  // a rule that is defined later
  void define(Rule rule, Part part) { rules_[static_cast<std::size_t>(rule)] = part; }
  Part part_of(Rule rule) const { return rules_[static_cast<std::size_t>(rule)]; }

  Part empty();
  Part literal(std::string_view bytes);
  Part characters(const CharSet& set);  // one code point as UTF-8
  Part call(Rule rule);
  Part sequence(const std::vector<Part>& parts);
  Part choice(const std::vector<Part>& parts);  // of none: nothing matches
  Part optional(Part part);
  Part star(Part part);
  // `make` is called for each copy. most < 0: any number.
  Part repeat(const std::function<Part()>& make, std::int64_t least, std::int64_t most);

  // Cuts off what can never end, so that whatever can begin can be completed; refuses left recursion and a
  // grammar that matches nothing. `names` tells rules in messages.
  void finish(Rule root, const std::function<std::string(Rule)>& name);

  const Vertex& vertex(Node node) const { return nodes_[static_cast<std::size_t>(node)]; }
  std::size_t size() const { return nodes_.size(); }
  std::size_t rule_count() const { return rules_.size(); }

 private:
  Vertex& at(Node node) { return nodes_[static_cast<std::size_t>(node)]; }
  struct Ending {
    std::vector<char> nodes, rules;
  };
  Ending what_can_end() const;
  void refuse_left_recursion(const std::function<std::string(Rule)>& name) const;
  std::shared_ptr<Work> work_;
  std::vector<Vertex> nodes_;
  std::vector<Part> rules_;
};

}  // namespace pensieve::engine::constraint
