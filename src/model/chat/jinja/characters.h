// Character classes and case mappings as Python's str uses them, over libutf8proc. Not for bytes or
// positions.
#pragma once

#include <string>
#include <string_view>

namespace pensieve::model::jinja {

bool is_space(char32_t c);       // str.isspace, what strip() and split() remove
bool is_line_break(char32_t c);  // where splitlines() splits
bool is_printable(char32_t c);   // repr() writes it as it is
bool is_letter(char32_t c);      // str.isalpha
bool is_decimal(char32_t c);     // str.isdecimal
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_word(char32_t c);  // part of an identifier

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(
    std::string_view text);  // str.title: a letter after a non-letter is raised, others lowered
std::string capitalize(std::string_view text);  // str.capitalize
std::string swap_case(std::string_view text);

// The stretch of `text` without the characters of `set` at the chosen sides; an empty `set` means white
// space.
struct Stretch {
  std::size_t begin, end;
};
enum class Side : unsigned char { left, right, both };
Stretch strip(std::string_view text, std::string_view set, Side side);

}  // namespace pensieve::model::jinja
