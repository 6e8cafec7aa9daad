// pensieve config: is the configuration right, where does each value come from, and what may be set at all.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "manage/config/report.h"
#include "tools/failure.h"
#include "tools/settings.h"
#include "util/json.h"
#ifdef PENSIEVE_WITH_SERVER
#include "server/server.h"
#endif

namespace pensieve::tools {
namespace {

using util::Json;

struct Arguments {
  Settings settings;
  bool json = false;
};

ExitCode check(Arguments& arguments) {
  std::vector<Error> problems = arguments.settings.load(environ);
#ifdef PENSIEVE_WITH_SERVER
  if (problems.empty()) {
    if (Result<> usable = server::Server::check(arguments.settings.server); !usable)
      problems.push_back(usable.error());
  }
#endif
  const std::string& file = arguments.settings.file();
  if (arguments.json) {
    Json list = Json::array();
    for (const Error& problem : problems)
      list.push_back(Json{{"field", problem.field}, {"message", problem.what}});
    fmt::print("{}\n", util::to_json(
                           Json{{"valid", problems.empty()}, {"file", file}, {"problems", std::move(list)}}));
    return problems.empty() ? kDone : kRefused;
  }
  for (const Error& problem : problems) fmt::print(stderr, "{}\n", problem.what);
  if (problems.empty()) fmt::print("{}: valid\n", file.empty() ? "no file, flags and environment" : file);
  return problems.empty() ? kDone : kRefused;
}

ExitCode explain(Arguments& arguments) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  if (arguments.json) {
    fmt::print("{}\n", util::to_json(manage::explain_json(arguments.settings.schema)));
  } else {
    fmt::print("{}", manage::explain_text(arguments.settings.schema));
  }
  return kDone;
}

ExitCode print_schema(Arguments& arguments) {
  fmt::print("{}\n", manage::json_schema(arguments.settings.schema).dump(2));
  return kDone;
}

void declare_part(CLI::App& app, int& exit_code, const char* name, const char* help,
                  ExitCode (*part)(Arguments&)) {
  CLI::App* sub = app.add_subcommand(name, help);
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  if (part != print_schema) {
    arguments->settings.declare_all(*sub);
    sub->add_flag("--json", arguments->json, "print JSON");
  }
  sub->footer(fmt::format("Example:\n  pensieve config {}{}", name,
                          part == print_schema ? "" : " --config pensieve.toml"));
  sub->callback([arguments, &exit_code, part] { exit_code = part(*arguments); });
}

void declare(CLI::App& app, int& exit_code) {
  app.require_subcommand(1);
  declare_part(app, exit_code, "check", "is everything known and within its bounds? exit code 3 when not",
               check);
  declare_part(app, exit_code, "explain", "each value and where it came from", explain);
  declare_part(app, exit_code, "schema", "JSON Schema of the configuration file", print_schema);
  app.footer(
      "A flag wins over PENSIEVE_SECTION_KEY in the environment, that over the file, that over the default.\n"
      "Example:\n  pensieve config explain --port 8080");
}

}  // namespace

extern const Verb verb_config;
const Verb verb_config{"config", "check and explain the configuration", declare};

}  // namespace pensieve::tools
