// GET /metrics: Prometheus' text format: our own names, and those that dashboards for llama.cpp and vLLM
// read. Never waits for an engine. Labels are models, route patterns and words of our own.
#include <array>
#include <map>

#include "server/context.h"
#include "server/dialects/model_object.h"
#include "server/endpoint.h"
#include "server/exposition.h"
#include "server/process_facts.h"
#include "server/request_counts.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/metrics"};

using manage::CountersReading;
using Models = std::map<std::string, CountersReading>;

struct Family {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  bool by_model;  // one series for each model; else their sum
  double (*value)(const CountersReading&);
};

double prompt_tokens(const CountersReading& r) {
  return static_cast<double>(r.stats.prompt_tokens);
}
double cached_tokens(const CountersReading& r) {
  return static_cast<double>(r.stats.cached_tokens);
}
double generated_tokens(const CountersReading& r) {
  return static_cast<double>(r.stats.generated_tokens);
}
double running(const CountersReading& r) {
  return r.stats.running;
}
double waiting(const CountersReading& r) {
  return r.stats.waiting;
}
double steps(const CountersReading& r) {
  return static_cast<double>(r.stats.steps);
}
double failed(const CountersReading& r) {
  return static_cast<double>(r.failed);
}
double pages_share(const CountersReading& r) {
  return r.stats.pages_total > 0
             ? static_cast<double>(r.stats.pages_used) / static_cast<double>(r.stats.pages_total)
             : 0.0;
}
double memory(const CountersReading& r) {
  return static_cast<double>(r.stats.memory_bytes);
}
double loads(const CountersReading& r) {
  return static_cast<double>(r.loads);
}
double crashes(const CountersReading& r) {
  return static_cast<double>(r.crashes);
}
double restarts(const CountersReading& r) {
  return static_cast<double>(r.restarts);
}
// As llama-server counts it: from the beginning, averaged.
double generation_rate(const CountersReading& r) {
  const double seconds = r.inter_token.sum;
  return seconds > 0 ? generated_tokens(r) / seconds : 0.0;
}

constexpr std::array kFamilies{
    Family{"pensieve_prompt_tokens_total", "counter", "Prompt tokens read.", true, prompt_tokens},
    Family{"pensieve_cached_tokens_total", "counter", "Prompt tokens found in the cache.", true,
           cached_tokens},
    Family{"pensieve_generation_tokens_total", "counter", "Tokens generated.", true, generated_tokens},
    Family{"pensieve_generations_failed_total", "counter", "Generations that ended with an error.", true,
           failed},
    Family{"pensieve_steps_total", "counter", "Steps of the engine.", true, steps},
    Family{"pensieve_model_loads_total", "counter", "Times the model was loaded.", true, loads},
    Family{"pensieve_worker_crashes_total", "counter",
           "Times the model's process ended unexpectedly, while loading too.", true, crashes},
    Family{"pensieve_worker_restarts_total", "counter", "Times the model was loaded again after a crash.",
           true, restarts},
    Family{"pensieve_requests_running", "gauge", "Generations in progress.", true, running},
    Family{"pensieve_requests_waiting", "gauge", "Generations that wait for a place.", true, waiting},
    Family{"pensieve_kv_cache_usage_ratio", "gauge", "Used share of the cache, 0 to 1.", true, pages_share},
    Family{"pensieve_memory_bytes", "gauge", "Memory held by the model.", true, memory},
    Family{"llamacpp:prompt_tokens_total", "counter", "Prompt tokens read.", false, prompt_tokens},
    Family{"llamacpp:tokens_predicted_total", "counter", "Tokens generated.", false, generated_tokens},
    Family{"llamacpp:predicted_tokens_seconds", "gauge", "Tokens a second of a generation, on average.",
           false, generation_rate},
    Family{"llamacpp:n_decode_total", "counter", "Steps of the engine.", false, steps},
    Family{"llamacpp:requests_processing", "gauge", "Generations in progress.", false, running},
    Family{"llamacpp:requests_deferred", "gauge", "Generations that wait for a place.", false, waiting},
    Family{"vllm:prompt_tokens_total", "counter", "Prompt tokens read.", true, prompt_tokens},
    Family{"vllm:generation_tokens_total", "counter", "Tokens generated.", true, generated_tokens},
    Family{"vllm:prefix_cache_hits_total", "counter", "Prompt tokens found in the cache.", true,
           cached_tokens},
    Family{"vllm:num_requests_running", "gauge", "Generations in progress.", true, running},
    Family{"vllm:num_requests_waiting", "gauge", "Generations that wait for a place.", true, waiting},
    Family{"vllm:kv_cache_usage_perc", "gauge", "Used share of the cache, 0 to 1.", true, pages_share},
};

struct Histogram {
  std::string_view name, help;
  manage::HistogramReading CountersReading::*reading;
};

constexpr std::array kHistograms{
    Histogram{"vllm:time_to_first_token_seconds", "From submission to the first token.",
              &CountersReading::first_token},
    Histogram{"vllm:inter_token_latency_seconds", "Between two tokens of an answer.",
              &CountersReading::inter_token},
    Histogram{"vllm:e2e_request_latency_seconds", "From submission to the end of the answer.",
              &CountersReading::whole},
    Histogram{"vllm:request_queue_time_seconds", "From submission to the first step.",
              &CountersReading::queue},
};

std::string_view label_of(std::string_view family) {
  return family.starts_with("vllm:") ? "model_name" : "model";
}

void write_family(const Family& family, const Models& models, Exposition& out) {
  out.family(family.name, family.type, family.help);
  double sum = 0;
  for (const auto& [name, reading] : models) {
    const double value = family.value(reading);
    sum += value;
    if (family.by_model) out.sample({{label_of(family.name), name}}, value);
  }
  if (!family.by_model || models.empty()) out.sample({}, sum);
}

void write_endings(const Models& models, Exposition& out) {
  constexpr std::array<std::string_view, manage::kFinishReasons> kReasons{"stop", "length", "tool_calls",
                                                                          "abort"};
  out.family("vllm:request_success_total", "counter", "Answers that ended, by reason.");
  for (const auto& [name, reading] : models) {
    for (std::size_t i = 0; i < kReasons.size(); ++i)
      out.sample({{"model_name", name}, {"finished_reason", kReasons[i]}},
                 static_cast<double>(reading.finished[i]));
  }
}

void write_models(const Context& context, Exposition& out) {
  std::map<std::string_view, double> states{
      {"failed", 0}, {"loaded", 0}, {"loading", 0}, {"unloaded", 0}, {"unloading", 0}};
  for (const manage::ModelStatus& status : context.services.models.list())
    states[state_name(status.state)] += 1;
  out.family("pensieve_models", "gauge", "Models known here, by state.");
  for (const auto& [state, count] : states) out.sample({{"state", state}}, count);
}

Task<void> handle(Exchange& exchange, Context& context) {
  const Models models = context.services.models.counters();
  Exposition out;
  out.family("pensieve_build_info", "gauge", "The program, as a label.");
  out.sample({{"version", PENSIEVE_VERSION}}, 1);
  for (const Family& family : kFamilies) write_family(family, models, out);
  write_endings(models, out);
  for (const Histogram& histogram : kHistograms) {
    out.family(histogram.name, "histogram", histogram.help);
    for (const auto& [name, reading] : models)
      out.histogram({{label_of(histogram.name), name}}, reading.*histogram.reading);
  }
  write_models(context, out);
  out.family("pensieve_config_reloads_total", "counter", "Times the configuration was read again.");
  out.sample({{"result", "success"}}, static_cast<double>(context.reloads.load()));
  out.sample({{"result", "failure"}}, static_cast<double>(context.failed_reloads.load()));
  context.counts.write(out);
  write_process_facts(out);
  exchange.reply(200, "text/plain; version=0.0.4; charset=utf-8", out.take());
  co_return;
}

}  // namespace

extern const Endpoint endpoint_metrics;
const Endpoint endpoint_metrics{"GET", kPaths, &handle};

}  // namespace pensieve::server
