// MODEL on the command line: a path, or a name known in the model directories.
#pragma once

#include <string>

#include "core/result.h"
#include "tools/settings.h"

namespace pensieve::tools {

// Declares --model (required), --models-dir and --config on a verb.
void declare_model(CLI::App& app, Settings& settings, std::string& reference);

// The path of the model file. A path that exists is taken as it is; anything else is a name.
Result<std::string> find_model(const std::string& reference, const Settings& settings);

}  // namespace pensieve::tools
