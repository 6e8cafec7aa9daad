// pensieve ps: the models that a running server holds in memory, or all that it knows.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <memory>

#include "tools/failure.h"
#include "tools/server_client.h"
#include "tools/settings.h"
#include "tools/terminal.h"

namespace pensieve::tools {
namespace {

using util::Json;

struct Arguments {
  Settings settings;
  bool all = false, json = false;
};

Json shown_models(const Json& listing, bool all) {
  Json models = Json::array();
  for (const Json& model : listing.value("data", Json::array())) {
    const Json& status = model.at("status");
    const std::string state = status.at("value");
    if (!all && state == "unloaded") continue;
    models.push_back(Json{{"name", model.at("id")},
                          {"state", state},
                          {"memory_bytes", status.value("memory_bytes", std::uint64_t{0})},
                          {"context_length", model.value("context_length", std::int64_t{0})},
                          {"users", status.value("users", 0)},
                          {"pinned", status.value("pinned", false)},
                          {"since", status.value("since", Json())},
                          {"expires", status.value("expires", Json())},
                          {"problem", status.value("problem", Json())}});
  }
  return models;
}

std::string until(const Json& model) {
  if (model["pinned"].get<bool>()) return "pinned";
  if (model["problem"].is_string()) return model["problem"].get<std::string>();
  if (model["users"].get<int>() > 0) return fmt::format("in use by {}", model["users"].get<int>());
  if (!model["expires"].is_number_integer()) return "stays";
  const std::int64_t left = model["expires"].get<std::int64_t>() - std::time(nullptr);
  return fmt::format("unloaded in {} s", std::max<std::int64_t>(left, 0));
}

void print_table(const Json& models) {
  std::size_t width = 4;
  for (const Json& model : models) width = std::max(width, model["name"].get<std::string>().size());
  fmt::print("{:<{}}  {:>10}  {:>8}  {:<10} {}\n", "NAME", width, "MEMORY", "CONTEXT", "STATE", "UNTIL");
  for (const Json& model : models) {
    const std::string state = model["state"];
    const bool held = model["memory_bytes"].get<std::uint64_t>() > 0;
    fmt::print("{:<{}}  {:>10}  {:>8}  {:<10} {}\n", harmless(model["name"].get<std::string>()), width,
               held ? human_bytes(model["memory_bytes"].get<std::uint64_t>()) : "-",
               model["context_length"].get<std::int64_t>(), harmless(state),
               state == "unloaded" ? "" : harmless(until(model)));
  }
}

ExitCode run(Arguments& arguments) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  const ServerClient client(arguments.settings.server);
  const Result<Json> listing = client.get("/v1/models");
  if (!listing) return report(listing.error(), During::work);
  const Json models = shown_models(*listing, arguments.all);
  if (arguments.json) {
    fmt::print("{}\n", util::to_json(Json{{"models", models}}));
  } else if (models.empty()) {
    fmt::print("no model is loaded at {}\n", client.url());
  } else {
    print_table(models);
  }
  return kDone;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  arguments->settings.declare_flags(app, {"host", "port", "api-key"});
  arguments->settings.declare_config(app);
  app.add_flag("--all", arguments->all, "also those that are not loaded");
  app.add_flag("--json", arguments->json, "print JSON");
  app.footer(
      "Asks the server that `serve` with the same configuration starts.\nExample:\n  pensieve ps --port "
      "7777");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_ps;
const Verb verb_ps{"ps", "the models that a running server has loaded", declare};

}  // namespace pensieve::tools
