// Regular expressions as automata: the syntax that JSON Schema patterns, the regex constraint and Lark
// terminals share. Look-around, back-references and word borders are refused. \d \w \s are ASCII; "." is not
// a newline.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/constraint/dfa.h"
#include "engine/constraint/graph.h"

namespace pensieve::engine::constraint {

// How characters are written: as they are, or as the inside of a JSON string (the usual escapes, one spelling
// each).
enum class Spelling : std::uint8_t { plain, json };

Part spelled_characters(Graph& graph, const CharSet& set, Spelling spelling);
std::string spelled(std::string_view utf8, Spelling spelling);

// Matches whole texts; with `search` texts that contain a match. `flags`: i and s.
// `work` is shared with the constraint that the pattern is part of.
Dfa compile_regex(std::string_view pattern, Spelling spelling, bool search, std::string_view flags = {},
                  const std::shared_ptr<Work>& work = std::make_shared<Work>());

}  // namespace pensieve::engine::constraint
