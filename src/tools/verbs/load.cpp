// pensieve load: have a running server load a model now; ahead of its first request.
#include <CLI/CLI.hpp>
#include <memory>

#include "tools/residence.h"

namespace pensieve::tools {
namespace {

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<ResidenceArguments>();  // shared: CLI11 keeps copies of callbacks
  declare_residence(app, *arguments);
  app.footer("Example:\n  pensieve load smollm2:135m");
  app.callback([arguments, &exit_code] { exit_code = change_residence(*arguments, "load", "loaded"); });
}

}  // namespace

extern const Verb verb_load;
const Verb verb_load{"load", "have a running server load a model now", declare};

}  // namespace pensieve::tools
