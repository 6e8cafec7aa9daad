// One table of settings that are copied as they are; then those that mean something else together.
#include "model/formats/hf_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "model/formats/findings.h"

namespace pensieve::model {
namespace {

using util::Json;

enum class Kind : std::uint8_t { integer, real, flag };
struct Setting {
  std::string_view from, to;
  Kind kind = Kind::integer;
};

// Of several with the same `to` the first that is there counts.
constexpr auto kSettings = std::to_array<Setting>({
    {"max_position_embeddings", "context_length"},
    {"n_positions", "context_length"},
    {"hidden_size", "embedding_length"},
    {"n_embd", "embedding_length"},
    {"num_hidden_layers", "block_count"},
    {"n_layer", "block_count"},
    {"num_attention_heads", "attention.head_count"},
    {"n_head", "attention.head_count"},
    {"num_key_value_heads", "attention.head_count_kv"},
    {"num_kv_heads", "attention.head_count_kv"},
    {"intermediate_size", "feed_forward_length"},
    {"n_inner", "feed_forward_length"},
    {"ffn_hidden_size", "feed_forward_length"},
    {"vocab_size", "embedding_rows"},
    {"head_dim", "attention.key_length"},
    {"head_dim", "attention.value_length"},
    {"rms_norm_eps", "attention.layer_norm_rms_epsilon", Kind::real},
    {"layer_norm_eps", "attention.layer_norm_epsilon", Kind::real},
    {"layer_norm_epsilon", "attention.layer_norm_epsilon", Kind::real},
    {"norm_epsilon", "attention.layer_norm_epsilon", Kind::real},
    {"rope_theta", "rope.freq_base", Kind::real},
    {"rotary_emb_base", "rope.freq_base", Kind::real},
    {"rope_local_base_freq", "rope.freq_base_swa", Kind::real},
    {"num_experts", "expert_count"},
    {"num_local_experts", "expert_count"},
    {"n_routed_experts", "expert_count"},
    {"num_experts_per_tok", "expert_used_count"},
    {"experts_per_token", "expert_used_count"},
    {"moe_intermediate_size", "expert_feed_forward_length"},
    {"shared_expert_intermediate_size", "expert_shared_feed_forward_length"},
    {"shared_intermediate_size", "expert_shared_feed_forward_length"},
    {"n_shared_experts", "expert_shared_count"},
    {"first_k_dense_replace", "leading_dense_block_count"},
    {"n_group", "expert_group_count"},
    {"topk_group", "expert_group_used_count"},
    {"routed_scaling_factor", "expert_weights_scale", Kind::real},
    {"norm_topk_prob", "expert_weights_norm", Kind::flag},
    {"q_lora_rank", "attention.q_lora_rank"},
    {"kv_lora_rank", "attention.kv_lora_rank"},
    {"v_head_dim", "attention.value_length"},
    {"qk_rope_head_dim", "rope.dimension_count"},
    {"embedding_multiplier", "embedding_scale", Kind::real},
    {"residual_multiplier", "residual_scale", Kind::real},
    {"attention_multiplier", "attention.scale", Kind::real},
    {"logits_scaling", "logit_scale", Kind::real},
    {"logit_scale", "logit_scale", Kind::real},
    {"attn_logit_softcapping", "attn_logit_softcapping", Kind::real},
    {"final_logit_softcapping", "final_logit_softcapping", Kind::real},
    {"use_parallel_residual", "use_parallel_residual", Kind::flag},
    {"norm_eps", "attention.layer_norm_rms_epsilon", Kind::real},
    {"conv_L_cache", "shortconv.l_cache"},
    {"block_ff_dim", "feed_forward_length"},
    {"conv_kernel", "ssm.conv_kernel"},
    {"mamba_d_conv", "ssm.conv_kernel"},
    {"linear_conv_kernel_dim", "ssm.conv_kernel"},
    {"state_size", "ssm.state_size"},
    {"mamba_d_state", "ssm.state_size"},
    {"linear_key_head_dim", "ssm.state_size"},
    {"n_groups", "ssm.group_count"},
    {"mamba_n_groups", "ssm.group_count"},
    {"linear_num_key_heads", "ssm.group_count"},
    {"num_heads", "ssm.time_step_rank"},
    {"mamba_n_heads", "ssm.time_step_rank"},
    {"linear_num_value_heads", "ssm.time_step_rank"},
    {"mamba_d_ssm", "ssm.inner_size"},
    {"mamba_norm_before_gate", "ssm.norm_before_gate", Kind::flag},
    {"attention_in_multiplier", "attention.in_scale", Kind::real},
    {"attention_out_multiplier", "attention.out_scale", Kind::real},
    {"key_multiplier", "attention.key_scale", Kind::real},
    {"ssm_in_multiplier", "ssm.in_scale", Kind::real},
    {"ssm_out_multiplier", "ssm.out_scale", Kind::real},
    {"lm_head_multiplier", "head_scale", Kind::real},
    {"full_attention_interval", "full_attention_interval"},
});

// Reads settings; the first of the wrong kind stays as the error.
class Settings {
 public:
  Settings(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  const Json* find(std::string_view name) const {
    if (!json_.is_object()) return nullptr;
    const auto found = json_.find(std::string(name));
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  double real(std::string_view name, double absent) {
    const Json* found = find(name);
    if (found == nullptr) return absent;
    if (found->is_number()) return found->get<double>();
    fault(name, "a number");
    return absent;
  }
  std::int64_t integer(std::string_view name, std::int64_t absent) {
    const Json* found = find(name);
    if (found == nullptr) return absent;
    const bool fits =
        found->is_number_integer() && (!found->is_number_unsigned() || found->get<std::uint64_t>() < kMost);
    if (fits) return found->get<std::int64_t>();
    fault(name, "a whole number");
    return absent;
  }
  bool flag(std::string_view name, bool absent) {
    const Json* found = find(name);
    if (found == nullptr) return absent;
    if (found->is_boolean()) return found->get<bool>();
    fault(name, "true or false");
    return absent;
  }
  std::string text(std::string_view name, std::string absent) {
    const Json* found = find(name);
    if (found == nullptr) return absent;
    if (found->is_string()) return found->get<std::string>();
    fault(name, "a text");
    return absent;
  }
  std::vector<float> reals(std::string_view name) {
    std::vector<float> values;
    const Json* found = find(name);
    if (found == nullptr || !found->is_array() || found->size() > kLongest) {
      fault(name, "a list of numbers");
      return values;
    }
    for (const Json& value : *found) {
      if (!value.is_number()) fault(name, "a list of numbers");
      values.push_back(value.is_number() ? value.get<float>() : 1.0F);
    }
    return values;
  }
  void refuse(Error error) {
    if (!error_) error_ = std::move(error);
  }
  void fault(std::string_view name, std::string_view wanted) {
    refuse(
        {Error::Code::invalid, fmt::format("{}: {} must be {}", where_, name, wanted), {}, "model_invalid"});
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  static constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  static constexpr std::size_t kLongest = 1 << 16;
  const Json& json_;
  std::string where_;
  std::optional<Error> error_;
};

class Writer {
 public:
  Writer(Metadata& metadata, std::string prefix) : metadata_(metadata), prefix_(std::move(prefix)) {}
  void set(std::string_view key, MetadataValue value) { metadata_.set(full(key), std::move(value)); }
  bool has(std::string_view key) const { return metadata_.contains(full(key)); }
  double number(std::string_view key, double absent) const {
    const auto found = metadata_.real(full(key));
    return found ? found->value_or(absent) : absent;
  }

 private:
  std::string full(std::string_view key) const { return fmt::format("{}.{}", prefix_, key); }
  Metadata& metadata_;
  std::string prefix_;
};

bool is_recurrent(const std::string& layer_type) {
  return layer_type == "conv" || layer_type == "linear_attention";
}

void copy_settings(Settings& from, Writer& to) {
  for (const Setting& setting : kSettings) {
    if (from.find(setting.from) == nullptr || to.has(setting.to)) continue;
    if (setting.kind == Kind::real) {
      to.set(setting.to, from.real(setting.from, 0.0));
    } else if (setting.kind == Kind::flag) {
      to.set(setting.to, from.flag(setting.from, false));
    } else {
      to.set(setting.to, from.integer(setting.from, 0));
    }
  }
}

// GGUF states the network's width always, and whole heads.
void add_widths(Settings& from, Settings& positions, Writer& to) {
  if (!to.has("feed_forward_length")) {
    to.set("feed_forward_length", static_cast<std::int64_t>(4.0 * to.number("embedding_length", 1.0)));
  }
  if (const std::int64_t plain = from.integer("qk_nope_head_dim", 0); plain > 0) {
    to.set("attention.key_length", plain + from.integer("qk_rope_head_dim", 0));
    to.set("attention.value_length", from.integer("v_head_dim", 0));
  }
  if (from.flag("multi_query", false) && !from.flag("new_decoder_architecture", false))
    to.set("attention.head_count_kv", std::int64_t{1});
  const double heads = std::max(to.number("attention.head_count", 1.0), 1.0);
  const double head = to.number("attention.key_length", to.number("embedding_length", 1.0) / heads);
  const char* part = from.find("rotary_pct") != nullptr ? "rotary_pct" : "partial_rotary_factor";
  Settings& states = from.find(part) != nullptr ? from : positions;
  if (states.find(part) != nullptr && !to.has("rope.dimension_count")) {
    const double rotary = std::clamp(head * states.real(part, 1.0), 0.0, 1e6);
    to.set("rope.dimension_count", static_cast<std::int64_t>(rotary));
  }
  if (from.find("query_pre_attn_scalar") != nullptr) {
    const double scalar = from.real("query_pre_attn_scalar", 1.0);
    if (scalar > 0.0) to.set("attention.scale", 1.0 / std::sqrt(scalar));
  }
}

void refuse_layer(const Json& type, Settings& from) {
  from.refuse({Error::Code::unsupported,
               fmt::format("config.json: layers of type {} are not supported here; full_attention, and "
                           "sliding_attention or conv or linear_attention beside it, are",
                           printable(util::to_json(type))),
               {},
               "model_unsupported"});
}

// Layers that keep recurrent state have no key heads, as GGUF writes it.
void add_recurrent_layers(const Json& types, Settings& from, Writer& to) {
  std::vector<std::int64_t> kv_heads;
  std::vector<bool> recurs;
  for (const Json& type : types) {
    recurs.push_back(type.is_string() && is_recurrent(type.get<std::string>()));
    if (!recurs.back() && type != "full_attention") refuse_layer(type, from);
    kv_heads.push_back(recurs.back() ? 0 : from.integer("num_key_value_heads", 0));
  }
  to.set("attention.head_count_kv", kv_heads);
  to.set("attention.recurrent_layers", recurs);
}

void add_list(Settings& from, std::string_view name, std::span<const std::string> keys, Writer& to) {
  const Json* values = from.find(name);
  if (values == nullptr) return;
  if (!values->is_array()) return from.fault(name, "a list of numbers");
  for (std::size_t i = 0; i < std::min(values->size(), keys.size()); ++i) {
    // Newer folders write {"__float__": "Infinity"} for what is no limit.
    if ((*values)[i].is_number()) to.set(keys[i], (*values)[i].get<double>());
  }
}

// What recurrent families state in their own ways.
void add_recurrence(Settings& from, Writer& to) {
  const std::string time_steps[] = {"ssm.time_step_low", "ssm.time_step_high"};
  const std::string feed_forward[] = {"ffn.gate_scale", "ffn.down_scale"};
  const std::string parts[] = {"ssm.scale_0", "ssm.scale_1", "ssm.scale_2", "ssm.scale_3", "ssm.scale_4"};
  add_list(from, "time_step_limit", time_steps, to);
  add_list(from, "mlp_multipliers", feed_forward, to);
  add_list(from, "ssm_multipliers", parts, to);
  const auto product = [&](std::int64_t a, std::int64_t b) {
    constexpr std::int64_t kWidest = 1 << 20;
    return std::clamp<std::int64_t>(a, 0, kWidest) * std::clamp<std::int64_t>(b, 0, kWidest);
  };
  if (from.find("linear_value_head_dim") != nullptr)
    to.set("ssm.inner_size",
           product(from.integer("linear_value_head_dim", 0), from.integer("linear_num_value_heads", 0)));
  if (!to.has("ssm.conv_kernel")) return;
  const char* expand = from.find("mamba_expand") != nullptr ? "mamba_expand" : "expand";
  if (!to.has("ssm.inner_size"))
    to.set("ssm.inner_size", product(from.integer(expand, 2), from.integer("hidden_size", 0)));
  if (to.has("attention.head_count")) return;
  // Mamba: no attention, no feed-forward part, and no position that it could not reach.
  to.set("feed_forward_length", std::int64_t{0});
  if (!to.has("context_length")) to.set("context_length", std::int64_t{1} << 20);
}

void add_windows(Settings& from, Writer& to) {
  if (from.find("sliding_window") != nullptr && from.flag("use_sliding_window", true))
    to.set("attention.sliding_window", from.integer("sliding_window", 0));
  if (const Json* types = from.find("layer_types"); types != nullptr && types->is_array()) {
    std::vector<bool> windowed;
    const bool recurs = std::any_of(types->begin(), types->end(), [](const Json& type) {
      return type.is_string() && is_recurrent(type.get<std::string>());
    });
    if (recurs) return add_recurrent_layers(*types, from, to);
    for (const Json& type : *types) {
      const bool sliding = type.is_string() && type.get<std::string>() == "sliding_attention";
      const bool full = type.is_string() && type.get<std::string>() == "full_attention";
      if (!sliding && !full) refuse_layer(type, from);
      windowed.push_back(sliding);
    }
    to.set("attention.sliding_window_pattern", windowed);
  } else if (const std::int64_t period = from.integer("sliding_window_pattern", 0); period > 0) {
    to.set("attention.sliding_window_pattern", period);
  }
  if (const Json* rotations = from.find("no_rope_layers"); rotations != nullptr && rotations->is_array()) {
    std::vector<bool> rotates;
    for (const Json& layer : *rotations)
      rotates.push_back(layer.is_number_integer() && layer.get<int>() != 0);
    to.set("rope.layers", rotates);
  }
}

void add_experts(Settings& from, Writer& to) {
  // Layers without experts (moe_layer_freq, mlp_only_layers) are recognised by their tensors.
  if (from.text("scoring_func", "softmax") == "sigmoid") to.set("expert_gating_func", std::int64_t{2});
}

// Llama 3.1: low frequencies are stretched, high ones kept, those between blended (the family's reference
// code).
std::vector<float> llama3_factors(Settings& scaling, double base, std::int64_t width) {
  const double factor = scaling.real("factor", 1.0), low = scaling.real("low_freq_factor", 1.0),
               high = scaling.real("high_freq_factor", 4.0),
               context = scaling.real("original_max_position_embeddings", 8192.0);
  std::vector<float> factors;
  for (std::int64_t i = 0; i < width / 2; ++i) {
    const double wavelength =
        2.0 * std::numbers::pi * std::pow(base, 2.0 * static_cast<double>(i) / static_cast<double>(width));
    if (wavelength < context / high) {
      factors.push_back(1.0F);
    } else if (wavelength > context / low) {
      factors.push_back(static_cast<float>(factor));
    } else {
      const double smooth = (context / wavelength - low) / (high - low);
      factors.push_back(static_cast<float>(1.0 / ((1.0 - smooth) / factor + smooth)));
    }
  }
  return factors;
}

// YaRN's magnitude for a stretch and a multiplier (arXiv 2309.00071, 3.4).
double yarn_magnitude(double factor, double multiplier) {
  return factor <= 1.0 ? 1.0 : 0.1 * multiplier * std::log(factor) + 1.0;
}

void add_yarn(Settings& scaling, Writer& to) {
  const double factor = scaling.real("factor", 1.0);
  to.set("rope.scaling.type", std::string("yarn"));
  to.set("rope.scaling.factor", factor);
  const double original = scaling.real("original_max_position_embeddings", to.number("context_length", 1.0));
  to.set("rope.scaling.original_context_length", static_cast<std::int64_t>(std::clamp(original, 1.0, 1e9)));
  to.set("rope.scaling.yarn_beta_fast", scaling.real("beta_fast", 32.0));
  to.set("rope.scaling.yarn_beta_slow", scaling.real("beta_slow", 1.0));
  to.set("rope.scaling.yarn_truncate", scaling.flag("truncate", true));
  const double multiplier = scaling.real("mscale", 0.0), all = scaling.real("mscale_all_dim", 0.0);
  double magnitude = yarn_magnitude(factor, 1.0);
  if (multiplier != 0.0 && all != 0.0)
    magnitude = yarn_magnitude(factor, multiplier) / yarn_magnitude(factor, all);
  to.set("rope.scaling.yarn_attn_factor", scaling.real("attention_factor", magnitude));
  if (all != 0.0) to.set("rope.scaling.yarn_log_multiplier", 0.1 * all);
}

HfRopeFactors add_rope(Settings& from, Writer& to, Settings& scaling) {
  HfRopeFactors factors;
  const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
  const double base = to.number("rope.freq_base", 10000.0);
  const double heads = std::max(to.number("attention.head_count", 1.0), 1.0);
  const double head = to.number("attention.key_length", to.number("embedding_length", 1.0) / heads);
  const auto width =
      static_cast<std::int64_t>(std::clamp(to.number("rope.dimension_count", head), 0.0, 65536.0));
  if (type == "llama3") {
    factors.all = llama3_factors(scaling, base, width);
  } else if (type == "linear") {
    to.set("rope.scaling.type", std::string("linear"));
    to.set("rope.scaling.factor", scaling.real("factor", 1.0));
  } else if (type == "yarn") {
    add_yarn(scaling, to);
  } else if (type == "longrope" || type == "su") {
    factors.in_short = scaling.reals("short_factor");
    factors.in_long = scaling.reals("long_factor");
    const double context = to.number("context_length", 1.0);
    const double original = std::max(from.real("original_max_position_embeddings",
                                               scaling.real("original_max_position_embeddings", context)),
                                     1.0);
    to.set("rope.scaling.type", std::string("longrope"));
    to.set("rope.scaling.original_context_length", static_cast<std::int64_t>(original));
    const double stretch = scaling.real("factor", context / original);
    const double usual = stretch <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(stretch) / std::log(original));
    to.set("rope.scaling.attn_factor", scaling.real("attention_factor", usual));
  } else if (type != "default") {
    from.refuse(
        {Error::Code::unsupported,
         fmt::format("config.json: rope scaling of type {} is not supported; llama3, linear, yarn and "
                     "longrope are",
                     printable(type)),
         {},
         "model_unsupported"});
  }
  return factors;
}

}  // namespace

Result<HfRopeFactors> add_hf_config(const util::Json& config, const std::string& architecture, bool halves,
                                    Metadata& metadata) {
  Settings from(config, "config.json");
  Writer to(metadata, architecture);
  const Json nothing = Json::object();
  // Newer folders keep everything about positions in rope_parameters.
  const Json* newer = from.find("rope_parameters");
  const Json* older = from.find("rope_scaling");
  Settings scaling(newer != nullptr   ? *newer
                   : older != nullptr ? *older
                                      : nothing,
                   "config.json: rope_scaling");
  copy_settings(from, to);
  if (scaling.find("rope_theta") != nullptr) to.set("rope.freq_base", scaling.real("rope_theta", 10000.0));
  add_recurrence(from, to);
  add_widths(from, scaling, to);
  add_windows(from, to);
  add_experts(from, to);
  HfRopeFactors factors = add_rope(from, to, scaling);
  if (halves) to.set("rope.pairing", std::string("halves"));
  for (const Settings* settings : {&from, &scaling}) {
    if (settings->error()) return tl::unexpected(*settings->error());
  }
  return factors;
}

Result<> add_hf_pooling(const util::Json& pooling, const std::string& architecture, Metadata& metadata) {
  Settings from(pooling, "1_Pooling/config.json");
  std::int64_t type = 0;
  if (from.flag("pooling_mode_mean_tokens", false)) type = 1;
  if (from.flag("pooling_mode_cls_token", false)) type = 2;
  if (from.flag("pooling_mode_lasttoken", false)) type = 3;
  if (from.error()) return tl::unexpected(*from.error());
  if (type == 0) {
    return fail(Error::Code::unsupported,
                "1_Pooling/config.json asks for another pooling than the mean, the first or the last token",
                {}, "model_unsupported");
  }
  metadata.set(architecture + ".pooling_type", type);
  return {};
}

void add_hf_generation(const util::Json& generation, Metadata& metadata) {
  constexpr std::pair<const char*, const char*> kKeys[] = {
      {"temperature", "general.sampling.temp"},
      {"top_k", "general.sampling.top_k"},
      {"top_p", "general.sampling.top_p"},
      {"min_p", "general.sampling.min_p"},
      {"repetition_penalty", "general.sampling.penalty_repeat"}};
  if (!generation.is_object()) return;
  for (const auto& [from, to] : kKeys) {
    const auto found = generation.find(from);
    if (found != generation.end() && found->is_number()) metadata.set(to, found->get<double>());
  }
}

}  // namespace pensieve::model
