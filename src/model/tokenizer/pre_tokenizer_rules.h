// The published rules by their name in `tokenizer.ggml.pre`. Not the code that applies them
// (pre_tokenizer.h).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace pensieve::model {

struct PreTokenizerRules {
  std::array<std::string_view, 6> expressions;  // passes in order; unused ones are empty
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges say
  bool add_begin = false;      // begin token by default; the file's own flag wins
  bool clean_spaces = false;   // decode tidies " ." and the like
};

// Null for an unknown name. The empty name means `default`, which is what files without the key get.
const PreTokenizerRules* find_rules(std::string_view name);
// Known names, for messages.
std::string known_rules();
// Every name once, for tests.
std::vector<std::string_view> rule_names();

}  // namespace pensieve::model
