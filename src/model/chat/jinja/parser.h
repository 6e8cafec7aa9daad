// Parser: template source to syntax tree. Depth is bounded everywhere, as the tree is built, walked and
// destroyed by recursion.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "model/chat/jinja/syntax.h"

namespace pensieve::model::jinja {

inline constexpr std::size_t kLargestSource = std::size_t{512}
                                              << 10;  // real chat templates stay below 64 KiB

// Fails with the line and the token that was not understood.
std::unique_ptr<const Program> parse_program(std::string_view source);

}  // namespace pensieve::model::jinja
