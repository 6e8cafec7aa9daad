// GrammarReader: what the readers of GBNF and Lark share: places in messages, names of rules, quantified
// items.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/constraint/grammar_text.h"
#include "engine/constraint/graph.h"

namespace pensieve::engine::constraint {

class GrammarReader {
 public:
  GrammarReader(Graph& graph, std::string_view source) : graph_(graph), source_(source) {}

 protected:
  using Bounds = std::pair<std::int64_t, std::int64_t>;
  static constexpr int kDeepest = 100;
  static constexpr std::int64_t kMostCopies = 10'000;

  [[noreturn]] void refuse(std::string_view why) const;
  bool ended() const { return at_ >= source_.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  bool take(std::string_view text);
  char32_t next();  // one code point
  char32_t hexadecimal(std::size_t digits);
  std::int64_t number();
  std::string_view name();  // letters, digits, _ and -; empty: none stands here
  Rule rule(std::string_view name);
  void define(std::string_view name, Part part);
  void check_all_defined() const;
  RootRule finished(std::string_view root);
  void check_bounds(Bounds bounds) const;

  // Copies an item by reading its text again: read() starts at `begin` each time.
  template <class Read>
  Part copies(std::size_t begin, Part first, Bounds bounds, Read read) {
    check_bounds(bounds);
    const std::size_t after = at_;
    bool used = false;
    const Part all = graph_.repeat(
        [&] {
          if (!std::exchange(used, true)) return first;
          at_ = begin;
          return read();
        },
        bounds.first, bounds.second);
    at_ = after;
    return all;
  }

  Graph& graph_;
  std::string_view source_;
  std::size_t at_ = 0;

 private:
  std::map<std::string, Rule, std::less<>> rules_;
  std::vector<std::string> names_;
  std::vector<bool> defined_;
};

}  // namespace pensieve::engine::constraint
