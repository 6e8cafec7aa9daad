// The known word closest to a mistyped one, for error messages that help.
// Not a search: only words that a slip of the finger explains are offered.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pensieve::manage {

// Known words within a third of the word's length (at least 2) in edit distance, or that begin with it; best
// first, at most `limit`.
std::vector<std::string> nearest(std::string_view word, std::span<const std::string> known,
                                 std::size_t limit = 3);

// "; did you mean 'port'?" or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace pensieve::manage
