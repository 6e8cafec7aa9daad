// pensieve completion: a script that teaches a shell the program's verbs and options.
#include "tools/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tools/verb.h"

namespace pensieve::tools {
namespace {

void declare(CLI::App& app, int& exit_code) {
  const auto shell = std::make_shared<std::string>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("SHELL", *shell, "whose script to print (bash|zsh|fish)")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app.footer(
      "Example:\n  source <(pensieve completion bash)\n  pensieve completion fish > "
      "~/.config/fish/completions/pensieve.fish");
  app.callback([&app, shell, &exit_code] {
    const CLI::App& root = *app.get_parent();
    fmt::print("{}", *shell == "bash"  ? bash_completion(root)
                     : *shell == "zsh" ? zsh_completion(root)
                                       : fish_completion(root));
    exit_code = kDone;
  });
}

}  // namespace

extern const Verb verb_completion;
const Verb verb_completion{"completion", "a script that completes words on your shell's command line",
                           declare};

}  // namespace pensieve::tools
