// Paths first, then names: whoever sits at the command line may mean either.
#include "tools/model_argument.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "model/catalog.h"

namespace pensieve::tools {

void declare_model(CLI::App& app, Settings& settings, std::string& reference) {
  app.add_option("--model", reference, "model file, or a name known in the model directories")
      ->required()
      ->type_name("MODEL");
  settings.declare_flags(app, {"models-dir"});
  settings.declare_config(app);
}

Result<std::string> find_model(const std::string& reference, const Settings& settings) {
  std::error_code ignored;
  if (std::filesystem::exists(reference, ignored)) return reference;
  Result<model::CatalogEntry> entry =
      model::Catalog(model::model_directories(settings.models)).resolve(reference);
  if (!entry) return tl::unexpected(std::move(entry.error()));
  return std::move(entry->info.path);
}

}  // namespace pensieve::tools
