// CLI11 set up from the table of verbs; its exceptions end here.
#include "tools/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "manage/nearest.h"
#include "tools/failure.h"
#include "tools/verb.h"

namespace pensieve::tools {
namespace {

bool is_verb(std::string_view word) {
  const auto all = verbs();
  return std::any_of(all.begin(), all.end(), [&](const Verb* verb) { return verb->name == word; });
}

int unknown_verb(std::string_view word) {
  std::vector<std::string> names;
  for (const Verb* verb : verbs()) names.emplace_back(verb->name);
  return report_usage(fmt::format("there is no verb '{}'{}\nVerbs: {}. See pensieve --help.", word,
                                  manage::did_you_mean(word, names), fmt::join(names, ", ")));
}

int unknown_flag(const std::string& name) {
  const std::vector<std::string> known{"--help", "--help-all", "--version"};
  return report_usage(
      fmt::format("'{}' was not expected{}\nA verb comes first, its flags follow it. See pensieve --help.",
                  name, manage::did_you_mean(name, known)));
}

// The innermost subcommand that was named: its options are those that a mistyped one could have meant.
const CLI::App* innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  for (auto named = at->get_subcommands(); !named.empty(); named = at->get_subcommands()) at = named.front();
  return at;
}

std::string path_of(const CLI::App* app) {
  std::string path = app->get_name();
  for (app = app->get_parent(); app != nullptr; app = app->get_parent()) path = app->get_name() + " " + path;
  return path;
}

// Of the words that nothing took, the flag among them: its value was left over with it.
std::string mistyped_flag(const std::vector<std::string>& extras) {
  const auto flag = std::find_if(extras.begin(), extras.end(),
                                 [](const std::string& word) { return word.starts_with("-"); });
  return flag == extras.end() ? "" : flag->substr(0, flag->find('='));
}

int usage_error(const CLI::App& app, const CLI::ParseError& problem) {
  const CLI::App* at = innermost(app);
  std::string what = problem.what();
  if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    std::vector<std::string> known;
    for (const CLI::Option* option : at->get_options()) known.push_back(option->get_name());
    const std::string word = mistyped_flag(app.remaining(true));
    if (!word.empty()) what = fmt::format("'{}' was not expected{}", word, manage::did_you_mean(word, known));
  }
  return report_usage(fmt::format("{}\nSee {} --help.", what, path_of(at)));
}

int parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return kDone;
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& problem) {
    return usage_error(app, problem);
  }
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{"Pensieve: run large language models on your own machine.", "pensieve"};
  app.set_version_flag("--version", "pensieve " PENSIEVE_VERSION);
  app.set_help_all_flag("--help-all", "Help of all verbs");
  app.require_subcommand(1);
  app.footer(
      "Each verb has its own help, with an example: pensieve VERB --help\n"
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 model or file refused, 4 server unreachable, 130 "
      "interrupted.");
  if (argc > 1 && argv[1][0] != '-' && !is_verb(argv[1])) return unknown_verb(argv[1]);
  int exit_code = kDone;
  for (const Verb* verb : verbs()) {
    verb->declare(*app.add_subcommand(std::string(verb->name), std::string(verb->summary)), exit_code);
  }
  if (argc > 1 && argv[1][0] == '-') {
    const std::string_view word = argv[1];
    const std::string name(word.substr(0, word.find('=')));
    if (app.get_option_no_throw(name) == nullptr) return unknown_flag(name);
  }
  if (argc < 2) {
    fmt::print(stderr, "{}", app.help());
    return kUsage;
  }
  try {
    const int parsed = parse(app, argc, argv);
    return printed(parsed != kDone ? parsed : exit_code);
  } catch (const std::system_error& problem) {  // fmt::print's, when its output cannot be written
    return report(Error{Error::Code::io,
                        fmt::format("cannot write the output: {}", problem.code().message()),
                        "",
                        "",
                        {}},
                  During::work);
  } catch (const std::bad_alloc&) {
    return report(Error{Error::Code::exhausted, "out of memory", "", "", {}}, During::work);
  } catch (const std::exception& problem) {
    return report(Error{Error::Code::internal, problem.what(), "", "", {}}, During::work);
  }
}

}  // namespace pensieve::tools
