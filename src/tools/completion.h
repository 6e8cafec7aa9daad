// Shell completion: scripts for bash, zsh and fish, made of the command line as it is declared. Nothing runs
// when a word is completed: the script knows verbs, options and their allowed values.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace pensieve::tools {

std::string bash_completion(const CLI::App& root);
std::string zsh_completion(const CLI::App& root);
std::string fish_completion(const CLI::App& root);

}  // namespace pensieve::tools
