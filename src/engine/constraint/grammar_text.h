// Grammars that clients write: GBNF as in llama.cpp (start rule `root`) and Lark (start rule `start`;
// terminals as regular expressions, %ignore). What a parser generator would do with ambiguity does not
// matter: every text that the grammar can derive is accepted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/constraint/graph.h"

namespace pensieve::engine::constraint {

struct RootRule {
  Rule rule;
  std::vector<std::string> names;  // of rules, for messages
};

RootRule compile_gbnf(Graph& graph, std::string_view source);
RootRule compile_lark(Graph& graph, std::string_view source);

}  // namespace pensieve::engine::constraint
