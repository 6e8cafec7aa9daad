// See generation_fields.h. Ranges: the OpenAI API reference, and for local samplers their definitions in
// core/sampling.h.
#include "server/dialects/generation_fields.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "server/dialects/constraint_fields.h"
#include "server/dialects/keep_alive.h"

namespace pensieve::server {
namespace {

constexpr double kInt32 = 2147483647.0;
constexpr std::size_t kOpenAiStopStrings = 4;
constexpr std::size_t kStopBytes = 1024;
constexpr double kBias = 100;
constexpr std::int64_t kMostTokens = 2147483647;

constexpr std::array kFields{
    Field{"model", FieldKind::text},
    Field{"stream", FieldKind::boolean},
    Field{"stream_options", FieldKind::object},
    Field{"temperature", FieldKind::number, 0, 100},
    Field{"top_p", FieldKind::number, 0, 1},
    Field{"top_k", FieldKind::integer, -1, kInt32},
    Field{"min_p", FieldKind::number, 0, 1},
    Field{"typical_p", FieldKind::number, 0, 1},
    Field{"repeat_penalty", FieldKind::number, 1e-6, 1e6, "a number above 0"},
    Field{"repetition_penalty", FieldKind::number, 1e-6, 1e6, "a number above 0"},
    Field{"repeat_last_n", FieldKind::integer, -1, kInt32},
    Field{"presence_penalty", FieldKind::number, -2, 2},
    Field{"frequency_penalty", FieldKind::number, -2, 2},
    Field{"seed", FieldKind::integer},
    Field{"n", FieldKind::integer, 1, 128},
    Field{"stop", FieldKind::anything},
    Field{"logit_bias", FieldKind::object},
    Field{"max_tokens", FieldKind::integer, 0, kInt32,
          "between 1 and 2147483647; without it the answer may fill the context"},
    Field{"min_tokens", FieldKind::integer, 0, kInt32},
    Field{"ignore_eos", FieldKind::boolean},
    Field{"cache_prompt", FieldKind::boolean},
    Field{"response_format", FieldKind::object},  // these three: constraint_fields.cpp
    Field{"json_schema", FieldKind::anything},
    Field{"grammar", FieldKind::text},
    Field{"keep_alive", FieldKind::anything},
    // Without meaning on a local server.
    Field{"user", FieldKind::inert},
    Field{"metadata", FieldKind::inert},
    Field{"store", FieldKind::inert},
    Field{"service_tier", FieldKind::inert},
    Field{"prompt_cache_key", FieldKind::inert},
    Field{"prompt_cache_retention", FieldKind::inert},
    Field{"safety_identifier", FieldKind::inert},
    // Not served yet. The neutral numbers are the ones that llama-server's clients send when the feature is
    // off.
    Field{"lora", FieldKind::refused},
    Field{"priority", FieldKind::refused, 0, 0, "requests are served in the order in which they come"},
    Field{"return_progress", FieldKind::refused},
    Field{"guided_json", FieldKind::refused, 0, 0, "use response_format"},
    Field{"guided_regex", FieldKind::refused, 0, 0, "use grammar"},
    Field{"guided_choice", FieldKind::refused, 0, 0, "use response_format with an enum"},
    Field{"guided_grammar", FieldKind::refused, 0, 0, "use grammar"},
    Field{"structured_outputs", FieldKind::refused, 0, 0, "use response_format or grammar"},
    Field{"dry_multiplier", FieldKind::refused},
    Field{"dry_base", FieldKind::refused, 0, 0, {}, 1.75},
    Field{"dry_allowed_length", FieldKind::refused, 0, 0, {}, 2},
    Field{"dry_penalty_last_n", FieldKind::refused, 0, 0, {}, -1},
    Field{"dry_sequence_breakers", FieldKind::anything},  // acts only together with dry_multiplier
    Field{"xtc_probability", FieldKind::refused},
    Field{"xtc_threshold", FieldKind::refused, 0, 0, {}, 0.1},
    Field{"mirostat", FieldKind::refused},
    Field{"mirostat_tau", FieldKind::refused, 0, 0, {}, 5},
    Field{"mirostat_eta", FieldKind::refused, 0, 0, {}, 0.1},
    Field{"samplers", FieldKind::refused, 0, 0, "the order of samplers is fixed"},
};

constexpr std::array kStreamOptions{
    Field{"include_usage", FieldKind::boolean},
};

struct Sampler {
  std::string_view name;
  void (*set)(SamplingParams&, double);
};

constexpr std::array kSamplers{
    Sampler{"temperature", [](SamplingParams& s, double v) { s.temperature = static_cast<float>(v); }},
    Sampler{"top_p", [](SamplingParams& s, double v) { s.top_p = static_cast<float>(v); }},
    Sampler{"top_k", [](SamplingParams& s, double v) { s.top_k = static_cast<std::int32_t>(v); }},
    Sampler{"min_p", [](SamplingParams& s, double v) { s.min_p = static_cast<float>(v); }},
    Sampler{"typical_p", [](SamplingParams& s, double v) { s.typical_p = static_cast<float>(v); }},
    Sampler{"repetition_penalty",
            [](SamplingParams& s, double v) { s.repeat_penalty = static_cast<float>(v); }},
    Sampler{"repeat_penalty", [](SamplingParams& s, double v) { s.repeat_penalty = static_cast<float>(v); }},
    Sampler{"repeat_last_n",
            [](SamplingParams& s, double v) { s.repeat_last_n = static_cast<std::int32_t>(v); }},
    Sampler{"presence_penalty",
            [](SamplingParams& s, double v) { s.presence_penalty = static_cast<float>(v); }},
    Sampler{"frequency_penalty",
            [](SamplingParams& s, double v) { s.frequency_penalty = static_cast<float>(v); }},
};

Result<> read_logit_bias(const Json& body, std::vector<std::pair<std::int64_t, float>>& bias) {
  const Json* table = find_field(body, "logit_bias");
  if (table == nullptr) return {};
  for (const auto& [key, value] : table->items()) {
    std::int64_t token = -1;
    const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (problem != std::errc() || end != key.data() + key.size() || token < 0) {
      return wrong_field("logit_bias", "an object whose keys are token ids", Json(key));
    }
    if (!value.is_number() || std::fabs(value.get<double>()) > kBias) {
      return wrong_field("logit_bias." + key, "a number between -100 and 100", value);
    }
    bias.emplace_back(token, value.get<float>());
  }
  return {};
}

}  // namespace

std::span<const Field> generation_fields() {
  return kFields;
}

std::vector<std::string> inert_generation_fields(const Json& body, std::span<const Field> own) {
  return inert_fields(body, {kFields, own});
}

void read_samplers(const Json& body, Call& call) {
  for (const Sampler& sampler : kSamplers) {
    if (const auto value = number_field(body, sampler.name)) call.changes.push_back({sampler.set, *value});
  }
}

// -1 asks for a random seed; every other 64-bit number is one.
void read_seed(const Json& body, SamplingParams& sampling) {
  const Json* seed = find_field(body, "seed");
  if (seed == nullptr) return;
  if (seed->is_number_unsigned()) {
    sampling.seed = seed->get<std::uint64_t>();
  } else if (const auto number = seed->get<std::int64_t>(); number != -1) {
    sampling.seed = static_cast<std::uint64_t>(number);
  }
}

Result<> read_stop(const Json& body, const std::string& field, std::vector<std::string>& stop,
                   std::size_t most) {
  const Json* value = find_field(body, field);
  if (value == nullptr) return {};
  const Json list = value->is_array() ? *value : Json::array({*value});
  if (list.size() > most) {
    return fail(Error::Code::invalid,
                fmt::format("{}: {} strings; at most {} are possible", field, list.size(), most), field);
  }
  for (const Json& entry : list) {
    if (!entry.is_string()) return wrong_field(field, "a string or a list of strings", entry);
    const auto& text = entry.get_ref<const std::string&>();
    if (text.empty() || text.size() > kStopBytes) {
      return fail(Error::Code::invalid,
                  fmt::format("{}: a stop string has 1 to {} bytes, not {}", field, kStopBytes, text.size()),
                  field);
    }
    stop.push_back(text);
  }
  return {};
}

Result<> read_generation_fields(const Json& body, std::int64_t max_tokens_minimum, Call& call) {
  if (auto checked = check_fields(body, kFields); !checked) return checked;
  call.model = text_field(body, "model");
  call.stream = boolean_field(body, "stream", false);
  if (const Json* options = find_field(body, "stream_options")) {
    if (auto checked = check_fields(*options, kStreamOptions, "stream_options."); !checked) return checked;
    call.include_usage = boolean_field(*options, "include_usage", false);
  }
  GenerationRequest& generation = call.generation;
  read_samplers(body, call);
  read_seed(body, generation.sampling);
  if (auto read = read_stop(body, "stop", generation.stop, kOpenAiStopStrings); !read) return read;
  if (auto read = read_logit_bias(body, call.logit_bias); !read) return read;
  auto constraint = read_constraint(body);
  if (!constraint) return tl::unexpected(std::move(constraint.error()));
  generation.constraint = std::move(*constraint);
  generation.choices = static_cast<std::int32_t>(integer_field(body, "n").value_or(1));
  generation.max_tokens = integer_field(body, "max_tokens").value_or(-1);
  if (generation.max_tokens >= 0 && generation.max_tokens < max_tokens_minimum) {
    return wrong_field("max_tokens", fmt::format("between {} and {}", max_tokens_minimum, kMostTokens),
                       *find_field(body, "max_tokens"));
  }
  generation.min_tokens = integer_field(body, "min_tokens").value_or(0);
  generation.ignore_eos = boolean_field(body, "ignore_eos", false);
  generation.cache_prompt = boolean_field(body, "cache_prompt", true);
  auto keep = read_keep_alive(body);
  if (!keep) return tl::unexpected(std::move(keep.error()));
  call.keep_alive = *keep;
  return {};
}

Result<> fit_to_model(const ModelInfo& info, Call& call) {
  SamplingParams sampling = info.defaults;
  sampling.seed = call.generation.sampling.seed;
  for (const Call::Change& change : call.changes) change.set(sampling, change.value);
  for (const auto& [token, bias] : call.logit_bias) {
    if (token >= info.vocabulary) {
      return fail(Error::Code::invalid,
                  fmt::format("logit_bias: token {} does not exist; {} has the tokens 0 to {}", token,
                              info.name, info.vocabulary - 1),
                  "logit_bias");
    }
    sampling.logit_bias.emplace_back(static_cast<std::int32_t>(token), bias);
  }
  call.generation.sampling = std::move(sampling);
  return {};
}

}  // namespace pensieve::server
