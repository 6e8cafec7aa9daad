// How much a model may reason, as requests say it: a word for the effort, or a budget in tokens. Both reach
// the chat template, which may know a switch for it, and the sampler, which ends reasoning where the budget
// ends.
#pragma once

#include <string_view>

#include "core/generation.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// The switches that templates know for reasoning at all.
void switch_thinking(bool on, Json& template_arguments);

// none, minimal, low, medium, high, xhigh or max: switches for the template and a budget: none 0, minimal
// 256, low 1024, medium 8192 tokens, the others without limit. `field` is named in errors.
Result<> read_effort(const Json& effort, std::string_view field, Json& template_arguments,
                     GenerationRequest& generation);

// "reasoning_effort", "thinking_budget_tokens" (-1: no limit; it outranks the effort's budget) and
// "chat_template_kwargs" (which outrank the effort's switches) of a chat completion. Answers the template's
// arguments.
Result<Json> read_reasoning(const Json& body, GenerationRequest& generation);

}  // namespace pensieve::server
