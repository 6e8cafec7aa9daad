// GET /metrics: Prometheus' text format, version 0.0.4: our own names, and those that dashboards for
// llama.cpp and vLLM read. Never waits for an engine.
#include <fmt/format.h>

#include <array>
#include <iterator>

#include "server/context.h"
#include "server/endpoint.h"
#include "server/model_stats.h"
#include "server/request_counts.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/metrics"};

struct Family {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  bool by_model;  // one series for each model; else their sum
  double (*value)(const InferenceStats&);
};

double prompt_tokens(const InferenceStats& s) {
  return static_cast<double>(s.prompt_tokens);
}
double generated_tokens(const InferenceStats& s) {
  return static_cast<double>(s.generated_tokens);
}
double running(const InferenceStats& s) {
  return s.running;
}
double waiting(const InferenceStats& s) {
  return s.waiting;
}
double pages_share(const InferenceStats& s) {
  return s.pages_total > 0 ? static_cast<double>(s.pages_used) / static_cast<double>(s.pages_total) : 0.0;
}

constexpr std::array kFamilies{
    Family{"pensieve_prompt_tokens_total", "counter", "Prompt tokens read.", true, prompt_tokens},
    Family{"pensieve_cached_tokens_total", "counter", "Prompt tokens found in the cache.", true,
           [](const InferenceStats& s) { return static_cast<double>(s.cached_tokens); }},
    Family{"pensieve_generation_tokens_total", "counter", "Tokens generated.", true, generated_tokens},
    Family{"pensieve_steps_total", "counter", "Steps of the engine.", true,
           [](const InferenceStats& s) { return static_cast<double>(s.steps); }},
    Family{"pensieve_requests_running", "gauge", "Generations in progress.", true, running},
    Family{"pensieve_requests_waiting", "gauge", "Generations that wait for a place.", true, waiting},
    Family{"pensieve_memory_bytes", "gauge", "Memory held by the model.", true,
           [](const InferenceStats& s) { return static_cast<double>(s.memory_bytes); }},
    Family{"llamacpp:prompt_tokens_total", "counter", "Prompt tokens read.", false, prompt_tokens},
    Family{"llamacpp:tokens_predicted_total", "counter", "Tokens generated.", false, generated_tokens},
    Family{"llamacpp:requests_processing", "gauge", "Generations in progress.", false, running},
    Family{"llamacpp:requests_deferred", "gauge", "Generations that wait for a place.", false, waiting},
    Family{"vllm:prompt_tokens_total", "counter", "Prompt tokens read.", true, prompt_tokens},
    Family{"vllm:generation_tokens_total", "counter", "Tokens generated.", true, generated_tokens},
    Family{"vllm:num_requests_running", "gauge", "Generations in progress.", true, running},
    Family{"vllm:num_requests_waiting", "gauge", "Generations that wait for a place.", true, waiting},
    Family{"vllm:kv_cache_usage_perc", "gauge", "Used share of the cache, 0 to 1.", true, pages_share},
};

// Model names are ours, but may hold anything a file name can.
std::string label_value(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void write_family(const Family& family, const std::map<std::string, InferenceStats>& models,
                  std::string& out) {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", family.name, family.help,
                 family.name, family.type);
  double sum = 0;
  for (const auto& [name, stats] : models) {
    const double value = family.value(stats);
    sum += value;
    if (!family.by_model) continue;
    const std::string_view key = family.name.starts_with("vllm:") ? "model_name" : "model";
    fmt::format_to(std::back_inserter(out), "{}{{{}=\"{}\"}} {}\n", family.name, key, label_value(name),
                   value);
  }
  if (!family.by_model || models.empty())
    fmt::format_to(std::back_inserter(out), "{} {}\n", family.name, sum);
}

Task<void> handle(Exchange& exchange, Context& context) {
  const auto models = context.stats.read();
  std::string out;
  for (const Family& family : kFamilies) write_family(family, models, out);
  context.counts.write(out);
  exchange.reply(200, "text/plain; version=0.0.4; charset=utf-8", std::move(out));
  co_return;
}

}  // namespace

extern const Endpoint endpoint_metrics;
const Endpoint endpoint_metrics{"GET", kPaths, &handle};

}  // namespace pensieve::server
