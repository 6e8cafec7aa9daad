// pensieve show: what is known of a model file without running it: metadata, tensors, and the memory that it
// would take.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "hal/backends.h"
#include "hal/detect/memory.h"
#include "manage/local_inference.h"
#include "model/loaded_model.h"
#include "tools/failure.h"
#include "tools/model_argument.h"
#include "tools/terminal.h"
#include "util/json.h"

namespace pensieve::tools {
namespace {

using util::Json;

struct Arguments {
  Settings settings;
  std::string model;
  bool json = false, full = false;
};

constexpr std::size_t kShownItems = 8;  // of a list, unless --full

struct Report {
  std::unique_ptr<ModelFile> file;
  ModelInfo info;
  Result<manage::MemoryPlan> memory = fail(Error::Code::unsupported, "not estimated");
};

Json value_json(const MetadataValue& value, bool full) {
  return std::visit(
      [full](const auto& held) -> Json {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (requires { held.begin(); } && !std::is_same_v<Held, std::string>) {
          if (!full && held.size() > kShownItems) {
            return Json{{"count", held.size()},
                        {"first", Json(Held(held.begin(), held.begin() + kShownItems))}};
          }
        }
        return Json(held);
      },
      value);
}

Json info_json(const ModelInfo& info) {
  return Json{{"name", info.name},
              {"path", info.path},
              {"format", info.format},
              {"architecture", info.architecture},
              {"title", info.title},
              {"quantization", info.quantization},
              {"parameters", info.parameters},
              {"size", info.file_bytes},
              {"modified", info.created},
              {"context_length", info.trained_context},
              {"embedding_length", info.embedding_width},
              {"layers", info.layers},
              {"vocabulary", info.vocabulary},
              {"capabilities", info.capabilities}};
}

Json memory_json(const Result<manage::MemoryPlan>& memory) {
  if (!memory) return Json{{"problem", memory.error().what}};
  return Json{{"weights", memory->estimate.weights}, {"state", memory->estimate.state},
              {"scratch", memory->estimate.scratch}, {"total", memory->estimate.total()},
              {"available", memory->available},      {"context", memory->capacity.context}};
}

void print_json(const Report& report, bool full) {
  Json all = info_json(report.info);
  all["chat_template"] = report.info.chat_template;
  const FileReport& findings = report.file->report();
  all["file"] = {{"format", findings.format},
                 {"version", findings.version},
                 {"problems", findings.problems},
                 {"warnings", model::warnings_of(*report.file)}};
  Json metadata = Json::object();
  for (const auto& [key, value] : report.file->metadata().all()) metadata[key] = value_json(value, full);
  all["metadata"] = std::move(metadata);
  Json tensors = Json::array();
  for (const TensorInfo& tensor : report.file->tensors()) {
    tensors.push_back(Json{{"name", tensor.name},
                           {"type", tensor.type_name},
                           {"shape", tensor.shape},
                           {"bytes", tensor.bytes.size()}});
  }
  all["tensors"] = std::move(tensors);
  all["memory"] = memory_json(report.memory);
  fmt::print("{}\n", util::to_json(all));
}

void print_text(const Report& report) {
  const ModelInfo& info = report.info;
  const auto line = [](const char* label, const std::string& value) {
    if (!value.empty()) fmt::print("{:<14}{}\n", label, harmless(value));
  };
  line("name", info.name);
  line("title", info.title);
  line("architecture", info.architecture);
  line("parameters", info.parameters > 0 ? human_count(info.parameters) : "");
  line("quantization", info.quantization);
  line("context", std::to_string(info.trained_context));
  line("embedding", std::to_string(info.embedding_width));
  line("layers", std::to_string(info.layers));
  line("vocabulary", std::to_string(info.vocabulary));
  line("capabilities", fmt::format("{}", fmt::join(info.capabilities, ", ")));
  line("file",
       fmt::format("{} ({} v{}, {}, {} tensors)", info.path, info.format, report.file->report().version,
                   human_bytes(info.file_bytes), report.file->tensors().size()));
  if (report.memory) {
    const MemoryEstimate& estimate = report.memory->estimate;
    line("memory", fmt::format("{} for a context of {}: weights {}, cache {}, scratch {}; {} available",
                               human_bytes(estimate.total()), report.memory->capacity.context,
                               human_bytes(estimate.weights), human_bytes(estimate.state),
                               human_bytes(estimate.scratch), human_bytes(report.memory->available)));
  } else {
    line("memory", report.memory.error().what);
  }
  for (const std::string& problem : report.file->report().problems) line("problem", problem);
  for (const std::string& warning : model::warnings_of(*report.file)) line("warning", warning);
}

// The weights stay mapped: only the graph is built.
Result<manage::MemoryPlan> estimate(const std::string& path, const Settings& settings) {
  const Result<std::unique_ptr<Backend>> backend =
      hal::open_backend(settings.hardware.backend,
                        {static_cast<std::int32_t>(settings.hardware.threads), settings.hardware.isa});
  if (!backend) return tl::unexpected(backend.error());
  const Result<model::LoadedModel> loaded = model::load(path, **backend);
  if (!loaded) return tl::unexpected(loaded.error());
  return manage::plan_memory(**backend, *loaded, settings.engine, hal::detect_memory().available);
}

ExitCode run(Arguments& arguments) {
  Settings& settings = arguments.settings;
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  const Result<std::string> path = find_model(arguments.model, settings);
  if (!path) return report(path.error(), During::model);
  Result<std::unique_ptr<ModelFile>> file = model::examine_model_file(*path);
  if (!file) return report(file.error(), During::model);
  Report found{std::move(*file), {}, estimate(*path, settings)};
  if (Result<ModelInfo> info = model::inspect(*path); info) {
    found.info = std::move(*info);
  } else {
    found.info.path = *path;
    found.info.format = found.file->report().format;
    found.info.file_bytes = found.file->file_bytes();
  }
  if (arguments.json) {
    print_json(found, arguments.full);
  } else {
    print_text(found);
  }
  return found.file->report().problems.empty() ? kDone : kRefused;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("MODEL", arguments->model, "model file, or a name known in the model directories")
      ->required();
  arguments->settings.declare_flags(app, {"models-dir", "backend", "context", "parallel", "kv-type"});
  arguments->settings.declare_config(app);
  app.add_flag("--json", arguments->json, "print JSON, with metadata and tensor table");
  app.add_flag("--full", arguments->full, "with --json: long lists (the vocabulary) whole");
  app.footer("Example:\n  pensieve show model.gguf --json");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_show;
const Verb verb_show{"show", "what a model file holds and needs", declare};

}  // namespace pensieve::tools
