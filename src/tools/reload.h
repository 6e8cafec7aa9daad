// Reload: reads the configuration again while the server runs, and puts in force what can change without a
// restart, all of it or nothing. Not a watcher: when to reload is decided in verbs/serve.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/settings.h"

namespace pensieve::tools {

struct ReloadOutcome {
  std::vector<Error> problems;       // not empty: nothing was changed
  std::vector<std::string> changed;  // "section.key", now in force
  std::vector<std::string> waiting;  // differ from what is in force, but need a restart
};

// Flags stay as given, the environment is that of the start; the file is read anew. `check` judges the
// settings as they would be in force; then `running` holds them.
ReloadOutcome reload(Settings& running, const char* const* environment,
                     const std::function<Result<>(const Settings&)>& check);

// One line for the log: what changed, or why nothing did.
void log_reload(const ReloadOutcome& outcome, std::string_view cause, util::Log& log);

}  // namespace pensieve::tools
