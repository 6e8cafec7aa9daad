// Names of models: what a name may look like, which names a file gets, and how close two names are.
// Not the look-up itself: catalog.h.
//
// A name is PART, or PART:TAG, with up to two parts before joined by '/'. A part is letters, digits, '.', '_'
// and '-', beginning with a letter or digit, without "..": no name can be read as a path, and no path of a
// client as a name.
//
// Every file is known by its name without suffix. If that name holds a size ("135m", "7b", "8x7b", "1.5b") it
// also gets names as users of Ollama write them, in lower case, cut at the size:
//   SmolLM2-135M-Instruct.Q4_1.gguf  ->  smollm2:135m-instruct-q4_1  and  smollm2:135m
// If it holds none, general.basename and general.size_label of the metadata give the two halves:
// basename:size_label.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pensieve::model {

inline constexpr std::size_t kLongestName = 200;

bool valid_name(std::string_view name);
// What is left of a file's name when everything that a name may not hold becomes '-'; may be empty.
std::string name_from_file(std::string_view stem);

struct TaggedNames {
  std::string brief;  // "smollm2:135m"
  std::string full;   // "smollm2:135m-instruct-q4_1"; equal to brief where nothing follows the size
};
std::optional<TaggedNames> tagged_names(std::string_view stem);
std::optional<std::string> tagged_name(std::string_view basename, std::string_view size_label);

std::string lower_case(std::string_view text);
// Levenshtein distance in bytes; both texts at most kLongestName long (longer ones are cut).
std::size_t edit_distance(std::string_view a, std::string_view b);
// The one with the least distance, of equal ones the first; empty where none is known.
std::string_view nearest_of(std::string_view wanted, std::span<const std::string_view> known);

}  // namespace pensieve::model
