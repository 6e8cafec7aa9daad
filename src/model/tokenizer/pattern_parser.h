// Text of a pattern to its nodes. Not a matcher, and not for patterns that come from a file: ours only.
#pragma once

#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/tokenizer/pattern.h"

namespace pensieve::model {

// The syntax stands at Pattern::parse. No alternative is empty.
Result<std::vector<PatternSequence>> parse_pattern(std::string_view expression);

}  // namespace pensieve::model
