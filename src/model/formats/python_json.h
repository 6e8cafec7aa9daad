// Config files as Python writes them: JSON but for Infinity, which some settings have as a limit. Not a
// parser.
#pragma once

#include <string>
#include <string_view>

namespace pensieve::model {

// Infinity outside of texts becomes the largest number of 32 bits; everything else stays as it is.
std::string without_infinity(std::string_view text);

}  // namespace pensieve::model
