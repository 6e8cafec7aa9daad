// Lines of a system prompt that change from request to request and mean nothing to a model, such as the
// billing line of Claude Code with its number of the request. Left as they are they would make every prompt a
// new one, from its first tokens on, and nothing of the earlier one could be used again.
#pragma once

#include <span>
#include <string>

#include "core/generation.h"

namespace pensieve::server {

// Lines of system messages that begin with one of `names` keep the name and lose the rest; all else stays as
// it is. Prompts that are no conversation are left alone.
void steady_lines(std::span<const std::string> names, GenerationRequest& request);

}  // namespace pensieve::server
