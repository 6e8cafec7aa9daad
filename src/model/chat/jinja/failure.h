// Failure: the one exception type inside the template engine, and the ways to raise it.
// It never leaves the engine: Template::parse and Template::render turn it into an Error. Inside, an
// exception keeps some two hundred small operations free of plumbing; the seam stays a Result.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace pensieve::model::jinja {

inline constexpr std::string_view kReasonSyntax = "template_syntax";  // the template is not well-formed
inline constexpr std::string_view kReasonRuntime =
    "template_error";  // an operation was refused while rendering
inline constexpr std::string_view kReasonBudget = "template_budget";  // a limit of RenderOptions was reached
inline constexpr std::string_view kReasonRaised = "raise_exception";  // the template's own refusal

struct Failure {
  Error error;
  bool located = false;  // line and expression are already in error.what
};

[[noreturn]] void fail_runtime(std::string what);
[[noreturn]] void fail_budget(std::string what);
[[noreturn]] void fail_syntax(std::uint32_t line, std::string_view what);
[[noreturn]] void fail_raised(std::string message);

// At most 80 bytes of `text` for an error message, cut on a character border and marked with "...".
std::string excerpt(std::string_view text);

}  // namespace pensieve::model::jinja
