// The tree of verbs written in each shell's own words.
#include "tools/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <string_view>
#include <vector>

namespace pensieve::tools {
namespace {

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return !option->get_lnames().empty(); });
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : options_of(app)) {
    for (const std::string& name : option->get_lnames()) flags.push_back(fmt::format("--{}", name));
  }
  return flags;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

// The values in a help text's "(f16|f32|q8_0)": whoever declared the option put them there.
std::vector<std::string> values_of(const CLI::Option& option) {
  const std::string& help = option.get_description();
  std::vector<std::string> values;
  const std::size_t bar = help.find('|');
  if (bar == std::string::npos) return values;
  const std::size_t open = help.rfind('(', bar), close = help.find(')', bar);
  if (open == std::string::npos || close == std::string::npos) return values;
  std::string_view list = std::string_view(help).substr(open + 1, close - open - 1);
  while (!list.empty()) {
    const std::size_t end = std::min(list.find('|'), list.size());
    values.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return values;
}

// For a single-quoted word of any of the shells; `doubled`: fish escapes with a backslash.
std::string quoted(std::string_view text, bool fish) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += fish ? "\\'" : "'\\''";
    } else if (c == '\\' && fish) {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string first_sentence(const std::string& text) {
  return text.substr(0, std::min({text.find(';'), text.find('\n'), text.size()}));
}

// "verb" or "verb part": the words, then the flags that may follow.
template <class Write>
void each_command(const CLI::App& root, Write&& write) {
  for (const CLI::App* verb : verbs_of(root)) {
    write(verb->get_name(), *verb);
    for (const CLI::App* part : verbs_of(*verb)) write(verb->get_name() + " " + part->get_name(), *part);
  }
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : verbs_of(app)) names.push_back(verb->get_name());
  return names;
}

// The body of a case over the option before the cursor: its allowed values.
std::string value_cases(const CLI::App& root, std::string_view reply) {
  std::vector<std::string> seen;
  std::string out;
  each_command(root, [&](const std::string&, const CLI::App& app) {
    for (const CLI::Option* option : options_of(app)) {
      const std::vector<std::string> values = values_of(*option);
      const std::string flag = "--" + option->get_lnames().front();
      if (values.empty() || std::find(seen.begin(), seen.end(), flag) != seen.end()) continue;
      seen.push_back(flag);
      out += fmt::format("    {}) {} ;;\n", flag, fmt::format(fmt::runtime(reply), fmt::join(values, " ")));
    }
  });
  return out;
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
  std::string cases;
  each_command(root, [&](const std::string& words, const CLI::App& app) {
    std::vector<std::string> follow = names_of(app);
    for (std::string& flag : flags_of(app)) follow.push_back(std::move(flag));
    cases += fmt::format("    '{}') words={} ;;\n", words,
                         quoted(fmt::format("{}", fmt::join(follow, " ")), false));
  });
  return fmt::format(
      "# bash completion for pensieve: source <(pensieve completion bash)\n"
      "_pensieve() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command= word "
      "words=\n"
      "  case $before in\n{}  esac\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n"
      "    [[ $word == -* ]] && break\n"
      "    case \"${{command:+$command }}$word\" in\n"
      "      {}) command=\"${{command:+$command }}$word\" ;;\n"
      "      *) break ;;\n"
      "    esac\n"
      "  done\n"
      "  case $command in\n{}    '') words={} ;;\n  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n"
      "complete -o default -F _pensieve pensieve\n",
      value_cases(root, "COMPREPLY=($(compgen -W '{}' -- \"$current\")); return"),
      [&] {
        std::vector<std::string> known;
        each_command(
            root, [&](const std::string& words, const CLI::App&) { known.push_back(quoted(words, false)); });
        return fmt::format("{}", fmt::join(known, "|"));
      }(),
      cases,
      quoted(fmt::format("{} {}", fmt::join(names_of(root), " "), fmt::join(flags_of(root), " ")), false));
}

std::string zsh_completion(const CLI::App& root) {
  // zsh runs bash's completions; descriptions are the one thing lost.
  return "#compdef pensieve\n# zsh completion for pensieve: source <(pensieve completion zsh)\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_completion(root);
}

std::string fish_completion(const CLI::App& root) {
  std::string out = "# fish completion for pensieve: pensieve completion fish | source\n";
  for (const CLI::App* verb : verbs_of(root)) {
    out += fmt::format("complete -c pensieve -n __fish_use_subcommand -f -a {} -d {}\n", verb->get_name(),
                       quoted(verb->get_description(), true));
    const std::string within = "__fish_seen_subcommand_from " + verb->get_name();
    for (const CLI::App* part : verbs_of(*verb)) {
      out += fmt::format("complete -c pensieve -n {} -f -a {} -d {}\n", quoted(within, true),
                         part->get_name(), quoted(part->get_description(), true));
    }
    std::vector<std::string> seen;
    const auto write = [&](const CLI::App& app) {
      for (const CLI::Option* option : options_of(app)) {
        const std::string name = option->get_lnames().front();
        if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
        seen.push_back(name);
        const std::vector<std::string> values = values_of(*option);
        out += fmt::format("complete -c pensieve -n {} -l {} -d {}", quoted(within, true), name,
                           quoted(first_sentence(option->get_description()), true));
        if (takes_value(*option)) out += " -r";
        if (!values.empty())
          out += fmt::format(" -f -a {}", quoted(fmt::format("{}", fmt::join(values, " ")), true));
        out += "\n";
      }
    };
    write(*verb);
    for (const CLI::App* part : verbs_of(*verb)) write(*part);
  }
  return out;
}

}  // namespace pensieve::tools
