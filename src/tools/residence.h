// What `load` and `unload` have in common: tell a running server, then wait until it is so.
#pragma once

#include <memory>
#include <string>

#include "tools/settings.h"
#include "tools/verb.h"

namespace pensieve::tools {

struct ResidenceArguments {
  Settings settings;
  std::string model;
  bool json = false;
};

// Declares the model and where the server is.
void declare_residence(CLI::App& app, ResidenceArguments& arguments);
// `order`: "load" or "unload"; done when the model's state is `wanted`.
ExitCode change_residence(ResidenceArguments& arguments, const std::string& order, const std::string& wanted);

}  // namespace pensieve::tools
