// pensieve doctor: what this machine offers, how fast its memory is, and what would run a model here, and
// why.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "hal/backends.h"
#include "hal/cpu/dispatch.h"
#include "hal/detect/bandwidth.h"
#include "hal/detect/machine.h"
#include "manage/local_inference.h"
#include "tools/build_info.h"
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
  bool json = false;
};

Json machine_json(const hal::Machine& machine, double bandwidth) {
  const hal::Topology& topology = machine.topology;
  Json gpus = Json::array();
  for (const hal::GpuSearch& search : machine.gpus) {
    Json found = Json::array();
    for (const hal::Gpu& gpu : search.found)
      found.push_back(Json{{"name", gpu.name}, {"memory_bytes", gpu.memory}});
    gpus.push_back(Json{{"driver", search.driver}, {"found", std::move(found)}, {"absence", search.absence}});
  }
  return Json{{"cpu", machine.cpu},
              {"instruction_sets", hal::cpu::instruction_sets()},
              {"processor_has", machine.instruction_sets},
              {"packages", topology.packages},
              {"cores", topology.cores},
              {"hardware_threads", topology.threads},
              {"usable_cores", machine.usable_cores},
              {"usable_threads", machine.usable_threads},
              {"cpu_limit", machine.cpu_limit},
              {"numa_nodes", topology.numa_nodes},
              {"cache_bytes", {{"l1d", topology.l1d}, {"l2", topology.l2}, {"l3", topology.l3}}},
              {"memory",
               {{"total", machine.memory.total},
                {"available", machine.memory.available},
                {"limit", machine.memory.limit}}},
              {"read_bandwidth_bytes_per_second", bandwidth},
              {"gpus", std::move(gpus)}};
}

Json backends_json() {
  Json all = Json::array();
  for (const BackendFactory* factory : hal::backends()) {
    Json entry{{"name", factory->name}, {"preference", factory->preference}};
    if (const Result<std::vector<DeviceInfo>> devices = factory->probe()) {
      Json list = Json::array();
      for (const DeviceInfo& device : *devices) {
        list.push_back(Json{{"name", device.name},
                            {"kernels", device.kernels},
                            {"memory_total", device.memory_total},
                            {"memory_free", device.memory_free}});
      }
      entry["available"] = true;
      entry["devices"] = std::move(list);
    } else {
      entry["available"] = false;
      entry["absence"] = devices.error().what;
    }
    all.push_back(std::move(entry));
  }
  return all;
}

// How many of the model's operations the backend runs itself, and which weight formats it would meet.
Json model_json(const std::string& path, const Settings& settings) {
  const Result<std::unique_ptr<Backend>> backend =
      hal::open_backend(settings.hardware.backend,
                        {static_cast<std::int32_t>(settings.hardware.threads), settings.hardware.isa});
  if (!backend) return Json{{"problem", backend.error().what}};
  const Result<model::LoadedModel> loaded = model::load(path, **backend);
  if (!loaded) return Json{{"problem", loaded.error().what}};
  std::map<std::string, int> formats;
  Json unsupported = Json::array();
  for (const Node& node : loaded->graph.nodes) {
    const Codec* codec = node.weights.empty() ? nullptr : loaded->weights[node.weights.front()].codec;
    if (node.op() == Op::linear && codec != nullptr) ++formats[std::string(codec->name)];
    if (!(*backend)->supports(loaded->graph, node, codec)) {
      unsupported.push_back(fmt::format("{}{}", op_name(node.op()),
                                        codec == nullptr ? "" : fmt::format(" of {}", codec->name)));
    }
  }
  const bool chosen = settings.hardware.backend != "auto";
  Json report{
      {"name", loaded->info.name},
      {"path", path},
      {"device", (*backend)->info().name},
      {"kernels", (*backend)->info().kernels},
      {"why", chosen ? "asked for with --backend" : "the available backend with the highest preference"},
      {"linear_weights", formats},
      {"unsupported", std::move(unsupported)}};
  const Result<manage::MemoryPlan> memory =
      manage::plan_memory(**backend, *loaded, settings.engine, hal::detect_memory().available);
  if (memory) {
    report["memory"] = {{"total", memory->estimate.total()},
                        {"available", memory->available},
                        {"context", memory->capacity.context}};
  } else {
    report["problem"] = memory.error().what;
  }
  return report;
}

void print_machine(const hal::Machine& machine, double bandwidth) {
  const hal::Topology& topology = machine.topology;
  fmt::print("build      pensieve {}, {}, {}\n", build_version(), build_compiler(), build_type());
  fmt::print("cpu        {}\n", machine.cpu.empty() ? "unknown" : machine.cpu);
  fmt::print("cores      {} physical, {} threads; usable here: {} and {}\n", topology.cores, topology.threads,
             machine.usable_cores, machine.usable_threads);
  fmt::print("kernels    {} (last is fastest; --isa forces one)\n",
             fmt::join(hal::cpu::instruction_sets(), " "));
  fmt::print("caches     L1d {}, L2 {}, L3 {}; {} NUMA node(s)\n", human_bytes(topology.l1d),
             human_bytes(topology.l2), human_bytes(topology.l3), topology.numa_nodes);
  fmt::print("memory     {} in all, {} available{}\n", human_bytes(machine.memory.total),
             human_bytes(machine.memory.available),
             machine.memory.limit > 0 ? ", limit " + human_bytes(machine.memory.limit) : "");
  fmt::print("bandwidth  {:.1f} GB/s read with {} threads\n", bandwidth / 1e9, machine.usable_cores);
  for (const hal::GpuSearch& search : machine.gpus) {
    for (const hal::Gpu& gpu : search.found)
      fmt::print("gpu        {} ({})\n", gpu.name, human_bytes(gpu.memory));
    if (search.found.empty()) fmt::print("gpu        none: {}\n", search.absence);
  }
}

void print_rest(const Json& backends, const Json& model) {
  for (const Json& backend : backends) {
    const std::string name = backend["name"];
    if (!backend["available"].get<bool>()) {
      fmt::print("backend    {}: absent, {}\n", name, backend["absence"].get<std::string>());
      continue;
    }
    for (const Json& device : backend["devices"]) {
      fmt::print("backend    {}: {} {}\n", name, device["name"].get<std::string>(),
                 device["kernels"].get<std::string>());
    }
  }
  if (model.is_null()) return;
  if (model.contains("problem"))
    fmt::print("model      cannot run: {}\n", model["problem"].get<std::string>());
  if (!model.contains("device")) return;
  fmt::print("model      {} would run on {} {}: {}\n", model["name"].get<std::string>(),
             model["device"].get<std::string>(), model["kernels"].get<std::string>(),
             model["why"].get<std::string>());
  for (const auto& [format, count] : model["linear_weights"].items())
    fmt::print("           {} matrices of {}\n", count.get<int>(), format);
  for (const Json& missing : model["unsupported"])
    fmt::print("           not supported there: {}\n", missing.get<std::string>());
  if (model.contains("memory")) {
    fmt::print("           needs {} for a context of {}\n",
               human_bytes(model["memory"]["total"].get<std::uint64_t>()),
               model["memory"]["context"].get<std::int64_t>());
  }
}

ExitCode run(Arguments& arguments) {
  Settings& settings = arguments.settings;
  if (const ExitCode code = settings.load_or_report(); code != kDone) return code;
  Json model;
  bool runs = true;
  if (!arguments.model.empty()) {
    const Result<std::string> path = find_model(arguments.model, settings);
    if (!path) return report(path.error(), During::model);
    model = model_json(*path, settings);
    runs = !model.contains("problem");
  }
  const hal::Machine machine = hal::detect_machine();
  const double bandwidth = 1e9 * hal::measure_read_bandwidth(machine.usable_cores, machine.topology.l3_total);
  const Json backends = backends_json();
  if (arguments.json) {
    Json all{
        {"build", {{"version", build_version()}, {"compiler", build_compiler()}, {"type", build_type()}}}};
    all["machine"] = machine_json(machine, bandwidth);
    all["backends"] = backends;
    if (!model.is_null()) all["model"] = model;
    fmt::print("{}\n", util::to_json(all));
  } else {
    print_machine(machine, bandwidth);
    print_rest(backends, model);
  }
  return runs ? kDone : kRefused;
}

void declare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared: CLI11 keeps copies of callbacks
  app.add_option("MODEL", arguments->model, "also tell what would run this model");
  arguments->settings.declare_flags(
      app, {"models-dir", "backend", "threads", "isa", "context", "parallel", "kv-type"});
  arguments->settings.declare_config(app);
  app.add_flag("--json", arguments->json, "print JSON");
  app.footer("Example:\n  pensieve doctor model.gguf");
  app.callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace

extern const Verb verb_doctor;
const Verb verb_doctor{"doctor", "what this machine offers, and what would run a model here", declare};

}  // namespace pensieve::tools
