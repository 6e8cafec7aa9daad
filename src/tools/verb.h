// Verb: one word of the command line, one file tools/verbs/NAME.cpp each (generated table).
#pragma once

#include <span>
#include <string_view>

namespace CLI {
class App;
}

namespace pensieve::tools {

// Exit codes of the contract.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kRefused = 3,
  kUnreachable = 4,
  kInterrupted = 130
};

struct Verb {
  std::string_view name;
  std::string_view summary;  // one line in `pensieve --help`
  // Declares options on its own subcommand and installs a callback that runs the verb and sets `exit_code`.
  void (*declare)(CLI::App& app, int& exit_code);
};

std::span<const Verb* const> verbs();

}  // namespace pensieve::tools
