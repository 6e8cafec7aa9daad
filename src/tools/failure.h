// How a verb ends when something went wrong: one line on standard error, and the exit code of the contract.
#pragma once

#include <string_view>

#include "core/result.h"
#include "tools/verb.h"

namespace pensieve::tools {

// What was being done decides the code: an `invalid` model is refused (3), an `invalid` flag is wrong usage
// (2).
enum class During { usage, model, work };
ExitCode exit_code(const Error& error, During during);

// Prints "pensieve: …" and answers the exit code.
ExitCode report(const Error& error, During during);
ExitCode report_usage(std::string_view what);

// What a verb printed has left for standard output, or a message and kFailed: a full disk must not look like
// success. `code` is what the verb would answer.
int printed(int code);

}  // namespace pensieve::tools
