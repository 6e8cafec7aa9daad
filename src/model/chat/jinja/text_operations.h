// Operations on texts that filters and methods share. All keep track of provenance; all pay for what they
// make.
#pragma once

#include <cstdint>
#include <vector>

#include "model/chat/jinja/characters.h"
#include "model/chat/jinja/value.h"

namespace pensieve::model::jinja {

Text strip_text(Budget& budget, const Text& text, std::string_view set, Side side);

// At most `count` replacements when count >= 0. What replaces a foreign stretch is foreign.
Text replace_text(Budget& budget, const Text& text, const Text& old, const Text& fresh, std::int64_t count);

// Parts of a text between separators; with `limit` >= 0 at most that many cuts, counted from the right when
// `from_right`.
Value split_text(Budget& budget, const Text& text, std::string_view separator, std::int64_t limit,
                 bool from_right);
// The same between stretches of white space, empty parts dropped.
Value split_space(Budget& budget, const Text& text, std::int64_t limit, bool from_right);
// The lines of a text, without their ends unless `keep_ends`.
std::vector<Text> split_lines(Budget& budget, const Text& text, bool keep_ends);

// A mapping of the whole text, such as upper case.
Text map_text(Budget& budget, const Text& text, std::string (*map)(std::string_view));

// Pads to `width` characters.
enum class Pad : std::uint8_t { left, right, center };
Text pad_text(Budget& budget, const Text& text, std::int64_t width, std::string_view fill, Pad side);

}  // namespace pensieve::model::jinja
