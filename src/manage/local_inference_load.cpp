// Loading: device, file, memory plan, compiled plan, engine; each step refuses with its reason before the
// next one costs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "hal/backends.h"
#include "hal/detect/memory.h"
#include "manage/local_inference.h"
#include "util/bytes.h"

namespace pensieve::manage {
namespace {

using util::mebibytes;

constexpr std::size_t kReserve = std::size_t{256}
                                 << 20;  // left to the rest of the machine, at most an eighth of what is free

std::size_t usable_memory(const DeviceInfo& device) {
  std::size_t free = device.memory_free;
  if (device.unified || free == 0) {
    const hal::MemoryFacts facts = hal::detect_memory();
    free = free == 0 ? facts.available : std::min(free, facts.available);
  }
  return free - std::min(kReserve, free / 8);
}

// Control tokens that are part of what the format's replies are made of; what ends a turn never is.
std::shared_ptr<const std::vector<std::int32_t>> reply_controls(const Tokenizer& tokenizer,
                                                                std::span<const std::string> markers) {
  auto found = std::make_shared<std::vector<std::int32_t>>();
  for (std::int32_t token = 0; token < tokenizer.vocabulary(); ++token) {
    if (!tokenizer.is_control(token) || tokenizer.is_end(token)) continue;
    const std::string_view text = tokenizer.bytes(token, true);
    const bool part = std::any_of(markers.begin(), markers.end(), [text](const std::string& marker) {
      return !text.empty() && marker.find(text) != std::string::npos;
    });
    if (part) found->push_back(token);
  }
  return found;
}

Error does_not_fit(const ModelInfo& info, const MemoryEstimate& needed, std::size_t available) {
  return Error{Error::Code::exhausted,
               fmt::format("model '{}' does not fit: it needs {:.0f} MiB (weights {:.0f}, cache {:.0f}, "
                           "scratch {:.0f}), {:.0f} MiB are available; "
                           "use a smaller model, --context or --parallel",
                           info.name, mebibytes(needed.total()), mebibytes(needed.weights),
                           mebibytes(needed.state), mebibytes(needed.scratch), mebibytes(available)),
               "",
               "out_of_memory",
               {{"needed_bytes", static_cast<std::int64_t>(needed.total())},
                {"available_bytes", static_cast<std::int64_t>(available)}}};
}

// A context cut down to less than the budget asks for: another model should give way instead.
Result<> check_context(const ModelInfo& info, const MemoryPlan& memory, const engine::Options& options,
                       const LoadBudget& budget) {
  if (options.context > 0) return {};  // never cut down
  const std::int64_t wanted =
      info.trained_context > 0 ? std::min(budget.least_context, info.trained_context) : budget.least_context;
  if (memory.capacity.context >= wanted || options.kv_tokens > 0) return {};
  Error error = does_not_fit(info, memory.estimate, memory.available);
  error.what = fmt::format("model '{}' would have a context of {} tokens in {:.0f} MiB, too little for use",
                           info.name, memory.capacity.context, mebibytes(memory.available));
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<MemoryPlan> plan_memory(const Backend& backend, const model::LoadedModel& model,
                               const engine::Options& options, std::size_t available) {
  constexpr int kTries =
      4;  // a device's layout may need more than the bytes of the elements: shrink until it fits
  std::size_t budget = available;
  MemoryEstimate estimate;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    Result<engine::Capacity> capacity = engine::choose_capacity(model.graph, options, budget);
    if (!capacity) return tl::unexpected(std::move(capacity.error()));
    estimate = backend.estimate(Segment::whole(model.graph), model.weights, capacity->plan);
    if (estimate.total() <= available) return MemoryPlan{std::move(*capacity), estimate, available};
    const std::size_t excess = estimate.total() - available;
    if (excess >= estimate.state) break;
    budget = estimate.state - excess;
  }
  return tl::unexpected(does_not_fit(model.info, estimate, available));
}

Result<std::unique_ptr<LocalInference>> LocalInference::load(const std::string& path, const std::string& name,
                                                             const hal::Options& hardware,
                                                             const engine::Options& options, util::Log& log,
                                                             const LoadBudget& budget) {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_ptr<LocalInference> inference(new LocalInference(log));
  Result<std::unique_ptr<Backend>> backend =
      hal::open_backend(hardware.backend, {static_cast<std::int32_t>(hardware.threads), hardware.isa});
  if (!backend) return tl::unexpected(std::move(backend.error()));
  inference->backend_ = std::move(*backend);
  Result<model::LoadedModel> loaded =
      model::load(path, *inference->backend_, options.context, options.quantize);
  if (!loaded) return tl::unexpected(std::move(loaded.error()));
  inference->model_ = std::move(*loaded);
  if (!name.empty()) inference->model_.info.name = name;
  for (const std::string& warning : model::warnings_of(*inference->model_.file)) {
    log.write(
        util::LogLevel::warn, "model_warning",
        {{"model", std::string_view(inference->model_.info.name)}, {"message", std::string_view(warning)}});
  }
  if (Result<> started = inference->start(hardware, options, budget); !started)
    return tl::unexpected(std::move(started.error()));
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  log.write(util::LogLevel::info, "model_loaded",
            {{"model", std::string_view(inference->model_.info.name)},
             {"device", std::string_view(inference->backend_->info().name)},
             {"kernels", std::string_view(inference->backend_->info().kernels)},
             {"context", inference->model_.info.effective_context},
             {"memory_bytes", static_cast<std::int64_t>(inference->memory_.total())},
             {"milliseconds", static_cast<std::int64_t>(milliseconds.count())}});
  return inference;
}

std::size_t LocalInference::available(const hal::Options& hardware) {
  const Result<std::unique_ptr<Backend>> backend =
      hal::open_backend(hardware.backend, {static_cast<std::int32_t>(hardware.threads), hardware.isa});
  return backend ? usable_memory((*backend)->info()) : 0;
}

Result<> LocalInference::start(const hal::Options& hardware, const engine::Options& options,
                               const LoadBudget& budget) {
  std::size_t available = usable_memory(backend_->info());
  if (budget.available > 0) available = std::min(available, budget.available);
  const Result<MemoryPlan> memory = plan_memory(*backend_, model_, options, available);
  if (!memory) return tl::unexpected(memory.error());
  if (Result<> usable = check_context(model_.info, *memory, options, budget); !usable) return usable;
  memory_ = memory->estimate;
  log_.write(util::LogLevel::debug, "memory_planned",
             {{"model", std::string_view(model_.info.name)},
              {"backend", std::string_view(hardware.backend)},
              {"weights_bytes", static_cast<std::int64_t>(memory_.weights)},
              {"state_bytes", static_cast<std::int64_t>(memory_.state)},
              {"scratch_bytes", static_cast<std::int64_t>(memory_.scratch)},
              {"available_bytes", static_cast<std::int64_t>(memory->available)}});
  if (Result<> made = model_.file->materialise(model::load_threads(hardware.threads)); !made) return made;
  Result<std::unique_ptr<Plan>> plan =
      backend_->compile(Segment::whole(model_.graph), model_.weights, memory->capacity.plan);
  if (!plan) return tl::unexpected(std::move(plan.error()));
  model_.info.effective_context = memory->capacity.context;
  model_.info.parallel = options.parallel;
  controls_ = std::make_unique<ControlTokens>(*model_.tokenizer);
  if (model_.reply_format)
    reply_controls_ = reply_controls(*model_.tokenizer, model_.reply_format->markers());
  most_texts_ = static_cast<std::size_t>(options.queue + options.parallel);
  if (model_.graph.pooling != Pooling::none) {
    embedder_ = std::make_unique<engine::Embedder>(model_.graph, std::move(*plan), memory->capacity);
    embedding_ = std::make_unique<TaskThread>(&log_);
    if (ranks(model_.graph.pooling)) {
      Result<PairEncoder> pairs = PairEncoder::make(model_, *controls_);
      if (!pairs) return tl::unexpected(std::move(pairs.error()));
      pairs_ = std::make_unique<PairEncoder>(std::move(*pairs));
    }
  } else {
    runner_ = engine::Runner::start(model_.graph, *model_.tokenizer, backend_->info(), std::move(*plan),
                                    memory->capacity, options);
  }
  text_ = std::make_unique<TaskThread>(&log_);
  return {};
}

}  // namespace pensieve::manage
