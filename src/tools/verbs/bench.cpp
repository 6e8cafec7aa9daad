// pensieve bench: tokens per second of this machine with one model, beside what its memory bandwidth would
// allow.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "hal/detect/bandwidth.h"
#include "hal/detect/machine.h"
#include "tools/build_info.h"
#include "tools/failure.h"
#include "tools/forward.h"
#include "tools/measure.h"
#include "tools/model_argument.h"
#include "tools/progress.h"
#include "util/json.h"

namespace pensieve::tools {
namespace {

using util::Json;

struct Arguments {
  Settings settings;
  std::string model;
  Workload work;
  bool json = false;
};

struct Outcome {
  hal::Machine machine;
  double bandwidth = 0;  // bytes per second; 0: not measured
  std::int64_t threads = 0;
  Rates rates;
  double step_bytes = 0;  // read for one generating step, in the middle of the run

  // Of the bandwidth, as far as bytes that must be read tell.
  double fraction(const Workload& work) const {
    if (rates.generate.empty() || bandwidth <= 0) return 0;
    return spread_of(rates.generate).median / work.parallel * step_bytes / bandwidth;
  }
};

Json to_json(const std::vector<double>& samples) {
  if (samples.empty()) return nullptr;
  const Spread spread = spread_of(samples);
  return Json{{"median", spread.median}, {"min", spread.minimum}, {"max", spread.maximum}};
}

Json to_json(const Arguments& arguments, const Forward& forward, const Outcome& outcome) {
  const Workload& work = arguments.work;
  const ModelInfo& info = forward.model().info;
  Json all;
  all["model"] = {{"name", info.name},
                  {"architecture", info.architecture},
                  {"quantization", info.quantization},
                  {"parameters", info.parameters},
                  {"file_bytes", info.file_bytes}};
  all["backend"] = arguments.settings.hardware.backend;
  all["device"] = forward.device().name;
  all["isa"] = forward.device().kernels;
  all["threads"] = outcome.threads;
  all["kv_type"] = forward.kv_codec().name;
  for (const auto& [key, value] : {std::pair<const char*, std::int64_t>{"prompt", work.prompt},
                                   {"generate", work.generate},
                                   {"depth", work.depth},
                                   {"parallel", work.parallel},
                                   {"repeat", work.repeat}}) {
    all[key] = value;
  }
  all["prompt_tokens_per_second"] = to_json(outcome.rates.prompt);
  all["generate_tokens_per_second"] = to_json(outcome.rates.generate);
  all["read_bandwidth"] = {
      {"bytes_per_second", outcome.bandwidth},
      {"bytes_per_step", outcome.step_bytes},
      {"fraction", outcome.fraction(work) > 0 ? Json(outcome.fraction(work)) : Json(nullptr)}};
  const hal::Machine& machine = outcome.machine;
  all["machine"] = {{"cpu", machine.cpu},
                    {"cores", machine.usable_cores},
                    {"hardware_threads", machine.usable_threads},
                    {"instruction_sets", machine.instruction_sets},
                    {"memory_bytes", machine.memory.total}};
  all["build"] = {{"version", build_version()}, {"compiler", build_compiler()}, {"type", build_type()}};
  const auto memory_json = [](const MemoryEstimate& memory) {
    return Json{{"weights", memory.weights}, {"state", memory.state}, {"scratch", memory.scratch}};
  };
  all["memory"] = memory_json(forward.memory());
  all["memory_estimate"] = memory_json(forward.estimate());
  return all;
}

void print_table(const Arguments& arguments, const Forward& forward, const Outcome& outcome) {
  const Workload& work = arguments.work;
  const ModelInfo& info = forward.model().info;
  fmt::print("{} ({}, {}), {} {}, {} threads, cache {}\n", info.name, info.architecture, info.quantization,
             forward.device().name, forward.device().kernels, outcome.threads, forward.kv_codec().name);
  fmt::print("{:<28} {:>12} {:>12} {:>12}\n", "tokens per second", "median", "min", "max");
  const auto row = [](const std::string& label, const std::vector<double>& samples) {
    if (samples.empty()) return;
    const Spread spread = spread_of(samples);
    fmt::print("{:<28} {:>12.1f} {:>12.1f} {:>12.1f}\n", label, spread.median, spread.minimum,
               spread.maximum);
  };
  const std::string at = work.depth > 0 ? fmt::format(" @{}", work.depth) : "";
  const std::string times = work.parallel > 1 ? fmt::format(" x{}", work.parallel) : "";
  row(fmt::format("prompt {}{}{}", work.prompt, times, at), outcome.rates.prompt);
  row(fmt::format("generate {}{}{}", work.generate, times, at), outcome.rates.generate);
  if (const double fraction = outcome.fraction(work); fraction > 0) {
    fmt::print("read bandwidth {:.1f} GB/s, of which generating uses {:.0f} %\n", outcome.bandwidth / 1e9,
               fraction * 100);
  }
}

ExitCode run(Arguments& arguments) {
  Settings& settings = arguments.settings;
  const Workload& work = arguments.work;
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  if (work.prompt == 0 && work.generate == 0)
    return report_usage("--prompt and --generate are both 0: nothing to measure");
  const Result<std::string> path = find_model(arguments.model, settings);
  if (!path) return report(path.error(), During::model);
  Outcome outcome;
  outcome.machine = hal::detect_processor();
  if (settings.hardware.threads == 0) settings.hardware.threads = outcome.machine.usable_cores;
  outcome.threads = settings.hardware.threads;
  if (settings.hardware.backend != "null") {  // which reads nothing
    outcome.bandwidth = 1e9 * hal::measure_read_bandwidth(static_cast<std::int32_t>(outcome.threads),
                                                          outcome.machine.topology.l3_total);
  }
  ForwardOptions options;
  options.hardware = settings.hardware;
  options.quantize = settings.engine.quantize;
  options.kv_type = settings.engine.kv_type;
  options.sequences = work.parallel;
  options.tokens = work.depth + std::max(work.prompt, work.generate);
  options.step_rows =
      static_cast<std::int32_t>(std::max<std::int64_t>(settings.engine.step_rows, work.parallel));
  const Result<std::unique_ptr<Forward>> forward = Forward::open(*path, options);
  if (!forward) return report(forward.error(), During::model);
  Progress progress("bench", tokens_in_all(work));
  Result<Rates> rates = measure(**forward, work, [&](std::int64_t tokens) { progress.advance(tokens); });
  if (!rates) return report(rates.error(), During::work);
  outcome.rates = std::move(*rates);
  outcome.step_bytes = bytes_for_step(**forward, work.depth + work.generate / 2, work.parallel);
  if (arguments.json) {
    fmt::print("{}\n", util::to_json(to_json(arguments, **forward, outcome)));
  } else {
    print_table(arguments, **forward, outcome);
  }
  return kDone;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  Workload& work = arguments->work;
  declare_model(app, arguments->settings, arguments->model);
  arguments->settings.declare_flags(app, {"backend", "threads", "isa", "kv-type", "quantize", "step-rows"});
  const CLI::Range tokens(0, 1 << 24);
  app.add_option("--prompt", work.prompt, "tokens of prompt to read; 0: none; default 512")
      ->check(tokens)
      ->type_name("P");
  app.add_option("--generate", work.generate, "tokens to make; 0: none; default 128")
      ->check(tokens)
      ->type_name("G");
  app.add_option("--depth", work.depth, "tokens that each sequence holds before; default 0")
      ->check(tokens)
      ->type_name("D");
  app.add_option("--parallel", work.parallel, "sequences at once; rates are their sum; default 1")
      ->check(CLI::Range(1, 1024))
      ->type_name("B");
  app.add_option("--repeat", work.repeat, "timed repeats; default 5")
      ->check(CLI::Range(1, 1000))
      ->type_name("R");
  app.add_flag("--json", arguments->json, "print JSON");
  app.footer(
      "Timed are only the prompt's tokens, and the generated tokens with their choice; loading, filling up "
      "to the depth and a warm-up are not.\n"
      "Example:\n  pensieve bench --model model.gguf --threads 2 --prompt 512 --generate 64");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_bench;
const Verb verb_bench{"bench", "speed of this machine with a model", declare};

}  // namespace pensieve::tools
