// pensieve list: the models in the model directories.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "model/catalog.h"
#include "tools/failure.h"
#include "tools/settings.h"
#include "tools/terminal.h"
#include "util/json.h"

namespace pensieve::tools {
namespace {

using util::Json;

struct Arguments {
  Settings settings;
  bool json = false;
};

void print_json(const model::CatalogListing& listing) {
  Json all = Json::array();
  for (const model::CatalogEntry& entry : listing.entries) {
    const ModelInfo& info = entry.info;
    Json item{{"name", entry.name},
              {"aliases", entry.aliases},
              {"path", info.path},
              {"size", info.file_bytes},
              {"modified", info.created},
              {"format", info.format},
              {"architecture", info.architecture},
              {"quantization", info.quantization},
              {"parameters", info.parameters},
              {"context_length", info.trained_context},
              {"capabilities", info.capabilities}};
    if (!entry.problem.empty()) item["problem"] = entry.problem;
    all.push_back(std::move(item));
  }
  fmt::print("{}\n", util::to_json(Json{{"models", std::move(all)}}));
}

void print_table(const model::CatalogListing& listing) {
  std::size_t width = 4;
  for (const model::CatalogEntry& entry : listing.entries) width = std::max(width, entry.name.size());
  fmt::print("{:<{}}  {:>10}  {:<12} {:<10} {}\n", "NAME", width, "SIZE", "ARCHITECTURE", "TYPE", "MODIFIED");
  for (const model::CatalogEntry& entry : listing.entries) {
    const ModelInfo& info = entry.info;
    fmt::print("{:<{}}  {:>10}  {:<12} {:<10} {:%Y-%m-%d %H:%M}{}\n", entry.name, width,
               human_bytes(info.file_bytes), info.architecture, info.quantization,
               fmt::localtime(static_cast<std::time_t>(info.created)),
               entry.problem.empty() ? "" : "  unusable: " + entry.problem);
  }
}

ExitCode run(Arguments& arguments) {
  if (const ExitCode code = arguments.settings.load_or_report(); code != kDone) return code;
  const std::vector<std::string> directories = model::model_directories(arguments.settings.models);
  const model::CatalogListing listing = model::Catalog(directories).scan();
  const std::vector<std::string> absent = model::absent_directories(arguments.settings.models);
  for (const std::string& directory : absent)
    fmt::print(stderr, "pensieve: there is no directory '{}'\n", directory);
  for (const std::string& problem : listing.problems) fmt::print(stderr, "pensieve: {}\n", problem);
  if (arguments.json) {
    print_json(listing);
  } else if (listing.entries.empty()) {
    fmt::print("no models in {}\n", fmt::join(directories, ", "));
  } else {
    print_table(listing);
  }
  return absent.empty() ? kDone : kRefused;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  arguments->settings.declare_flags(app, {"models-dir"});
  arguments->settings.declare_config(app);
  app.add_flag("--json", arguments->json, "print JSON");
  app.footer("Example:\n  pensieve list --models-dir ~/models");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_list;
const Verb verb_list{"list", "the models in the model directories", declare};

}  // namespace pensieve::tools
