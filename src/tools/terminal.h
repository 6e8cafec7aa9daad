// What verbs print for people: byte counts, and text of foreign origin made harmless for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pensieve::tools {

std::string human_bytes(std::uint64_t bytes);  // "98.9 MiB"
std::string human_count(std::uint64_t count);  // "134.5 M"
// Control characters but newline and tab become U+FFFD, so that a model's answer or a file's text cannot
// drive the terminal.
std::string harmless(std::string_view text);

}  // namespace pensieve::tools
