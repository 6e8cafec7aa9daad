// pensieve show: what is known of a model file without running it: metadata, tensors, and the memory that it
// would take.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "hal/backends.h"
#include "hal/detect/memory.h"
#include "manage/local_inference.h"
#include "model/loaded_model.h"
#include "tools/failure.h"
#include "tools/model_argument.h"
#include "tools/terminal.h"
#include "util/json.h"
#include "util/mapped_file.h"
#include "util/sha256.h"

namespace pensieve::tools {
namespace {

using util::Json;

struct Arguments {
  Settings settings;
  std::string model;
  bool json = false, full = false, digest = false;
};

constexpr std::size_t kShownItems = 8;                            // of a list, unless --full
constexpr std::uint64_t kQuicklyRead = std::uint64_t{512} << 20;  // digests of more only when asked for
constexpr std::int64_t kLeastContext = 4096, kMostContexts = 12;  // for which memory is estimated

struct Need {  // of memory, on one device, for one context
  std::string backend;
  std::int64_t context = 0;
  MemoryEstimate estimate;
};

struct Report {
  std::unique_ptr<ModelFile> file;
  ModelInfo info;
  Result<manage::MemoryPlan> memory = fail(Error::Code::unsupported, "not estimated");
  std::vector<Need> needs;
  std::string licence, digest;
  std::map<std::string, std::uint64_t> mix;  // bytes of tensors by type
};

std::uint64_t bytes_of(const TensorInfo& tensor) {
  std::uint64_t sum = tensor.bytes.size();
  for (const std::span<const std::byte> part : tensor.parts) sum += part.size();
  return sum;
}

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

Json needs_json(const std::vector<Need>& needs) {
  Json all = Json::array();
  for (const Need& need : needs) {
    all.push_back(Json{{"backend", need.backend},
                       {"context", need.context},
                       {"weights", need.estimate.weights},
                       {"state", need.estimate.state},
                       {"scratch", need.estimate.scratch},
                       {"total", need.estimate.total()}});
  }
  return all;
}

void print_json(const Report& report, bool full) {
  Json all = info_json(report.info);
  all["licence"] = report.licence;
  all["sha256"] = report.digest;
  all["quantization_mix"] = report.mix;
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
                           {"bytes", bytes_of(tensor)}});
  }
  all["tensors"] = std::move(tensors);
  all["memory"] = memory_json(report.memory);
  all["memory_by_context"] = needs_json(report.needs);
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
  std::string mix;
  for (const auto& [type, bytes] : report.mix)
    mix += fmt::format("{}{} {}", mix.empty() ? "" : ", ", type, human_bytes(bytes));
  line("quantization", fmt::format("{} ({})", info.quantization, mix));
  line("licence", report.licence);
  line("context", std::to_string(info.trained_context));
  line("embedding", std::to_string(info.embedding_width));
  line("layers", std::to_string(info.layers));
  line("vocabulary", std::to_string(info.vocabulary));
  line("capabilities", fmt::format("{}", fmt::join(info.capabilities, ", ")));
  line("template", info.chat_template.empty() ? "none" : fmt::format("{} bytes", info.chat_template.size()));
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
  for (const Need& need : report.needs) {
    line("", fmt::format("{} on {} for a context of {}", human_bytes(need.estimate.total()), need.backend,
                         need.context));
  }
  line("sha256", report.digest);
  for (const std::string& problem : report.file->report().problems) line("problem", problem);
  for (const std::string& warning : model::warnings_of(*report.file)) line("warning", warning);
}

// The weights stay mapped: only the graph is built.
Result<manage::MemoryPlan> estimate(const std::string& path, const Settings& settings) {
  const Result<std::unique_ptr<Backend>> backend =
      hal::open_backend(settings.hardware.backend,
                        {static_cast<std::int32_t>(settings.hardware.threads), settings.hardware.isa});
  if (!backend) return tl::unexpected(backend.error());
  const Result<model::LoadedModel> loaded =
      model::load(path, **backend, settings.engine.context, settings.engine.quantize);
  if (!loaded) return tl::unexpected(loaded.error());
  return manage::plan_memory(**backend, *loaded, settings.engine, hal::detect_memory().available);
}

// Contexts from 4096 on, each twice the one before, and the trained one; on every device that is there.
std::vector<Need> needs_of(const std::string& path, const Settings& settings) {
  std::vector<Need> needs;
  for (const BackendFactory* factory : hal::backends()) {
    if (factory->preference < 0) continue;
    const Result<std::unique_ptr<Backend>> backend = hal::open_backend(factory->name, {});
    if (!backend) continue;
    const Result<model::LoadedModel> loaded = model::load(path, **backend, 0, settings.engine.quantize);
    if (!loaded) continue;
    engine::Options options = settings.engine;
    const std::int64_t trained = loaded->info.trained_context;
    std::int64_t context = std::min(kLeastContext, trained);
    for (std::int64_t i = 0; context > 0 && i < kMostContexts; ++i) {
      options.context = context;
      if (const auto plan = manage::plan_memory(**backend, *loaded, options, SIZE_MAX / 2))
        needs.push_back({std::string(factory->name), context, plan->estimate});
      if (context == trained) break;
      context = std::min(2 * context, trained);
    }
  }
  return needs;
}

std::string licence_of(const ModelFile& file) {
  const Metadata& metadata = file.metadata();
  for (const char* key : {"general.license", "general.license.name", "general.license.link"}) {
    const Result<std::optional<std::string>> found = metadata.text(key);
    if (found && *found) return **found;
  }
  return {};
}

// Of the file; of several files (a folder, parts) each has its own, and the model has none.
Result<std::string> digest_of(const std::string& path) {
  const Result<util::MappedFile> file = util::MappedFile::open(path);
  if (!file) return tl::unexpected(file.error());
  util::Sha256 hash;
  constexpr std::size_t kPiece = std::size_t{16} << 20;
  for (std::span<const std::byte> left = file->bytes(); !left.empty();) {
    const std::span<const std::byte> piece = left.first(std::min(kPiece, left.size()));
    hash.add(piece);
    util::release_mapped(piece);
    left = left.subspan(piece.size());
  }
  return hash.hexadecimal();
}

ExitCode run(Arguments& arguments) {
  Settings& settings = arguments.settings;
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  const Result<std::string> path = find_model(arguments.model, settings);
  if (!path) return report(path.error(), During::model);
  Result<std::unique_ptr<ModelFile>> file = model::examine_model_file(*path);
  if (!file) return report(file.error(), During::model);
  Report found{std::move(*file), {}, estimate(*path, settings), needs_of(*path, settings), {}, {}, {}};
  found.licence = licence_of(*found.file);
  for (const TensorInfo& tensor : found.file->tensors()) found.mix[tensor.type_name] += bytes_of(tensor);
  std::error_code ignored;
  const std::uint64_t size = std::filesystem::file_size(*path, ignored);
  if (!ignored && size == found.file->file_bytes() && (arguments.digest || size <= kQuicklyRead)) {
    if (Result<std::string> digest = digest_of(*path)) found.digest = std::move(*digest);
  }
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
  arguments->settings.declare_flags(app,
                                    {"models-dir", "backend", "context", "parallel", "kv-type", "quantize"});
  arguments->settings.declare_config(app);
  app.add_flag("--json", arguments->json, "print JSON, with metadata and tensor table");
  app.add_flag("--full", arguments->full, "with --json: long lists (the vocabulary) whole");
  app.add_flag("--sha256", arguments->digest,
               "the file's SHA-256 also where reading it takes long (over 512 MiB)");
  app.footer("Example:\n  pensieve show model.gguf --json");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_show;
const Verb verb_show{"show", "what a model file holds and needs", declare};

}  // namespace pensieve::tools
