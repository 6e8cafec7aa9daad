// pensieve unload: have a running server give a model's memory back; the next request loads it again.
#include <CLI/CLI.hpp>
#include <memory>

#include "tools/residence.h"

namespace pensieve::tools {
namespace {

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<ResidenceArguments>();  // shared: CLI11 keeps copies of callbacks
  declare_residence(app, *arguments);
  app.footer("Example:\n  pensieve unload smollm2:135m");
  app.callback([arguments, &exit_code] { exit_code = change_residence(*arguments, "unload", "unloaded"); });
}

}  // namespace

extern const Verb verb_unload;
const Verb verb_unload{"unload", "have a running server give a model's memory back", declare};

}  // namespace pensieve::tools
