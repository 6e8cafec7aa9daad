// The order goes out once; its outcome is asked for until it shows.
#include "tools/residence.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <thread>

#include "tools/failure.h"
#include "tools/server_client.h"
#include "tools/terminal.h"

namespace pensieve::tools {
namespace {

using util::Json;

Result<Json> status_when_settled(const ServerClient& client, const std::string& model) {
  for (std::chrono::milliseconds pause{20};; pause = std::min(pause * 2, std::chrono::milliseconds(500))) {
    const Result<Json> found = client.get("/v1/models/" + escape_segment(model));
    if (!found) return found;
    const std::string state = found->at("status").at("value");
    if (state != "loading" && state != "unloading") return found;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

void declare_residence(CLI::App& app, ResidenceArguments& arguments) {
  app.add_option("MODEL", arguments.model, "name as `pensieve ps --all` shows it")->required();
  app.add_flag("--json", arguments.json, "print JSON");
  arguments.settings.declare_flags(app, {"host", "port", "api-key"});
  arguments.settings.declare_config(app);
}

ExitCode change_residence(ResidenceArguments& arguments, const std::string& order,
                          const std::string& wanted) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  const ServerClient client(arguments.settings.server);
  const Result<Json> told = client.post("/models/" + order, Json{{"model", arguments.model}});
  if (!told) return report(told.error(), During::work);
  const Result<Json> found = status_when_settled(client, arguments.model);
  if (!found) return report(found.error(), During::work);
  const Json& status = found->at("status");
  const std::string state = status.at("value");
  if (arguments.json) {
    fmt::print("{}\n", util::to_json(Json{{"model", found->at("id")}, {"state", state}}));
  } else if (state == "failed") {
    fmt::print(stderr, "pensieve: {}\n", harmless(status.value("problem", "the load failed")));
  } else {
    fmt::print("{}: {}\n", harmless(found->at("id").get<std::string>()), state);
  }
  return state == wanted ? kDone : kFailed;
}

}  // namespace pensieve::tools
