// pensieve quantize: a model file with smaller weights.
#include "model/quantize.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <thread>

#include "model/loaded_model.h"
#include "tools/failure.h"
#include "tools/progress.h"
#include "util/json.h"

namespace pensieve::tools {
namespace {

struct Arguments {
  std::string in, out, type;
  int threads = 0;
  bool force = false, json = false;
};

std::uint64_t bytes_of(const ModelFile& file) {
  std::uint64_t sum = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    sum += tensor.bytes.size();
    for (const std::span<const std::byte> part : tensor.parts) sum += part.size();
  }
  return sum;
}

ExitCode run(const Arguments& arguments) {
  std::error_code ignored;
  if (std::filesystem::exists(arguments.out, ignored) && !arguments.force)
    return report_usage(fmt::format("'{}' exists; name another file, or say --force", arguments.out));
  auto file = model::open_model_file(arguments.in);
  if (!file) return report(file.error(), During::model);
  const auto plan = model::plan_quantization(**file, arguments.type);
  if (!plan) return report(plan.error(), plan.error().field == "type" ? During::usage : During::model);
  if (!arguments.json) {
    for (const std::string& note : plan->notes) fmt::print(stderr, "pensieve: {}\n", note);
  }
  const int threads = arguments.threads > 0
                          ? arguments.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (const Result<> made = (*file)->materialise(threads); !made) return report(made.error(), During::model);
  {
    Progress progress("quantize", static_cast<std::int64_t>(plan->bytes()));
    const auto written = model::write_quantized(
        **file, *plan, arguments.out, threads,
        [&](std::uint64_t bytes) { progress.advance(static_cast<std::int64_t>(bytes)); });
    if (!written) return report(written.error(), During::work);
  }
  const std::uint64_t before = bytes_of(**file), after = plan->bytes();
  if (arguments.json) {
    util::Json notes = plan->notes;
    fmt::print("{}\n", util::to_json({{"output", arguments.out},
                                      {"type", arguments.type},
                                      {"bytes_before", before},
                                      {"bytes_after", after},
                                      {"notes", std::move(notes)}}));
  } else {
    fmt::print("{}: {:.1f} MiB of weights, {:.1f} MiB before\n", arguments.out,
               static_cast<double>(after) / 1048576, static_cast<double>(before) / 1048576);
  }
  return kDone;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("IN", arguments->in, "model file to read")->required();
  app.add_option("OUT", arguments->out, "GGUF file to write")->required();
  std::string names;
  for (const std::string& name : model::quantization_names()) names += (names.empty() ? "" : " ") + name;
  app.add_option("TYPE", arguments->type, "one of " + names)->required();
  app.add_option("--threads", arguments->threads, "threads; default: one for each processor")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--force", arguments->force, "overwrite OUT");
  app.add_flag("--json", arguments->json, "print JSON");
  app.footer("Example:\n  pensieve quantize model-bf16.gguf model-q4.gguf q4_k_m");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_quantize;
const Verb verb_quantize{"quantize", "write a model file with smaller weights", declare};

}  // namespace pensieve::tools
