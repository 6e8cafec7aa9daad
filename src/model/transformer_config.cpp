// Which keys exist, what they default to and which values are believable. The upper bounds are far above any
// published model and low enough that products of a few of them cannot overflow 64 bits.
#include "model/transformer_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

namespace pensieve::model {
namespace {

constexpr double kMostLayers = 1024, kMostHeads = 4096, kWidest = 1 << 20, kWidestHead = 1 << 13,
                 kMostTokens = 1 << 24, kMostExperts = 1 << 14;

void read_rope(HyperParameters& from, std::int64_t trained_context, RopeParams& rope) {
  rope.rotary_width =
      from.integer("rope.dimension_count", rope.head_width, {2, static_cast<double>(rope.head_width)});
  if (rope.rotary_width % 2 != 0)
    from.fault(fmt::format("rope.dimension_count is {}, which is odd", rope.rotary_width));
  rope.base = static_cast<float>(from.real("rope.freq_base", 10000.0, {1e-3, 1e15}));

  const std::string scaling = from.text("rope.scaling.type", "linear");
  // Files from 2023 name the factor rope.scale_linear.
  const double old_factor = from.real("rope.scale_linear", 1.0, {1.0, 1e6});
  const double factor = from.real("rope.scaling.factor", old_factor, {0.0, 1e6});
  const double magnitude = from.real("rope.scaling.attn_factor", 1.0, {1e-3, 1e3});
  rope.attention_factor = static_cast<float>(magnitude);
  if (scaling == "none" || scaling == "longrope" || factor == 0.0 || (scaling == "linear" && factor == 1.0))
    return;
  if (factor < 1.0) from.fault(fmt::format("rope.scaling.factor is {}; at least 1 is possible", factor));
  rope.scale_factor = static_cast<float>(factor);
  if (scaling == "linear") {
    rope.scaling = RopeParams::Scaling::linear;
  } else if (scaling == "yarn") {
    rope.scaling = RopeParams::Scaling::yarn;
    rope.original_context =
        from.integer("rope.scaling.original_context_length", trained_context, {1, 1 << 28});
    rope.beta_fast = static_cast<float>(from.real("rope.scaling.yarn_beta_fast", 32.0, {1e-3, 1e6}));
    rope.beta_slow = static_cast<float>(from.real("rope.scaling.yarn_beta_slow", 1.0, {1e-3, 1e6}));
    rope.whole_pairs = from.flag("rope.scaling.yarn_truncate", true);
    // arXiv 2309.00071, 3.4; a file may state the product itself.
    const double usual = magnitude * (1.0 + 0.1 * std::log(std::max(factor, 1.0)));
    rope.attention_factor =
        static_cast<float>(from.real("rope.scaling.yarn_attn_factor", usual, {1e-3, 1e3}));
  } else {
    from.fault(
        fmt::format("rope.scaling.type is \"{}\"; none, linear, yarn and longrope are supported", scaling));
  }
}

void read_experts(HyperParameters& from, TransformerConfig& config) {
  ExpertsConfig& experts = config.experts;
  experts.count = from.integer("expert_count", 0, {0, kMostExperts});
  if (experts.count == 0) return;
  RouteParams& route = experts.route;
  route.used = from.required_integer("expert_used_count", {1, static_cast<double>(experts.count)});
  experts.inner =
      from.integer("expert_feed_forward_length", config.layers.front().feed_forward, {1, kWidest * 8});
  const std::int64_t shared = from.integer("expert_shared_count", 0, {0, kMostExperts});
  experts.shared_inner =
      from.integer("expert_shared_feed_forward_length", shared * experts.inner, {0, kWidest * 8});
  experts.dense_layers = from.integer("leading_dense_block_count", 0, {0, kMostLayers});
  route.groups = std::max<std::int64_t>(from.integer("expert_group_count", 1, {0, kMostExperts}), 1);
  route.groups_used =
      std::max<std::int64_t>(from.integer("expert_group_used_count", 1, {0, kMostExperts}), 1);
  const double scale = from.real("expert_weights_scale", 1.0, {0.0, 1e6});
  route.scale = scale == 0.0 ? 1.0F : static_cast<float>(scale);
  route.normalise = from.flag("expert_weights_norm", false);
  const std::int64_t gating = from.integer("expert_gating_func", 1, {0, 2});
  route.scoring = gating == 2 ? RouteParams::Scoring::sigmoid : RouteParams::Scoring::softmax;
}

void read_pooling(HyperParameters& from, TransformerConfig& config) {
  constexpr Pooling kPoolings[] = {Pooling::none, Pooling::mean, Pooling::first, Pooling::last,
                                   Pooling::rank};
  config.causal = from.flag("attention.causal", true);
  const std::int64_t none_stated = config.causal ? 0 : 1;
  config.pooling = kPoolings[from.integer("pooling_type", none_stated, {0, 4})];
  // A row of a decoder knows the text before it only.
  if (config.pooling == Pooling::rank && config.causal) config.pooling = Pooling::rank_last;
}

void read_layers(HyperParameters& from, TransformerConfig& config) {
  const std::int64_t count = from.required_integer("block_count", {1, kMostLayers});
  const std::vector<std::int64_t> heads = from.per_layer("attention.head_count", {}, count, {1, kMostHeads});
  const std::vector<std::int64_t> kv_heads =
      from.per_layer("attention.head_count_kv", heads, count, {1, kMostHeads});
  const std::vector<std::int64_t> feed_forward =
      from.per_layer("feed_forward_length", {}, count, {1, kWidest * 8});
  config.layers.resize(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    config.layers[i] =
        LayerConfig{.heads = heads[i], .kv_heads = kv_heads[i], .feed_forward = feed_forward[i]};
    if (heads[i] % kv_heads[i] != 0) {
      from.fault(fmt::format("layer {} has {} heads, which {} key heads cannot share evenly", i, heads[i],
                             kv_heads[i]));
      return;
    }
  }
}

void read_heads(HyperParameters& from, TransformerConfig& config) {
  const std::int64_t heads = config.layers.front().heads;
  const bool divides = config.width % heads == 0;
  const std::int64_t usual = divides ? config.width / heads : 1;
  config.key_width = from.integer("attention.key_length", usual, {1, kWidestHead});
  config.value_width = from.integer("attention.value_length", usual, {1, kWidestHead});
  if (!divides && (!from.has("attention.key_length") || !from.has("attention.value_length"))) {
    from.fault(
        fmt::format("embedding_length {} is not a multiple of attention.head_count {}", config.width, heads));
  }
  const double scale = from.real("attention.scale", 0.0, {0.0, 1e6});
  config.attention_scale =
      static_cast<float>(scale > 0.0 ? scale : 1.0 / std::sqrt(static_cast<double>(config.key_width)));
}

// The vocabulary is what the tokenizer lists; files without one give a number.
void read_vocabulary(const Metadata& metadata, HyperParameters& from, TransformerConfig& config) {
  const std::vector<std::string>* tokens = metadata.texts("tokenizer.ggml.tokens");
  config.vocabulary = tokens != nullptr && !tokens->empty()
                          ? static_cast<std::int64_t>(tokens->size())
                          : from.required_integer("vocab_size", {1, kMostTokens});
  // Only SafeTensors folders say so: their embeddings may have more rows than there are tokens.
  config.vocabulary = std::max(config.vocabulary, from.integer("embedding_rows", 1, {1, kMostTokens}));
}

}  // namespace

void HyperParameters::missing(std::string_view key) {
  fault(fmt::format("{} is missing", full(key)));
}

bool HyperParameters::inside(std::string_view key, double value, Range range) {
  if (value >= range.low && value <= range.high) return true;
  fault(fmt::format("{} is {}; {} to {} is possible", full(key), value, range.low, range.high));
  return false;
}

// After a fault the low end of the range is given, so that what is computed from it stays harmless.
std::int64_t HyperParameters::required_integer(std::string_view key, Range range) {
  if (!has(key)) missing(key);
  return integer(key, static_cast<std::int64_t>(range.low), range);
}

std::int64_t HyperParameters::integer(std::string_view key, std::int64_t absent, Range range) {
  const Result<std::optional<std::int64_t>> found = metadata_.integer(full(key));
  if (!found) {
    fault(found.error().what);
  } else if (!found->has_value()) {
    return absent;
  } else if (inside(key, static_cast<double>(**found), range)) {
    return **found;
  }
  return static_cast<std::int64_t>(range.low);
}

double HyperParameters::required_real(std::string_view key, Range range) {
  if (!has(key)) missing(key);
  return real(key, range.low, range);
}

double HyperParameters::real(std::string_view key, double absent, Range range) {
  const Result<std::optional<double>> found = metadata_.real(full(key));
  if (!found) {
    fault(found.error().what);
  } else if (!found->has_value()) {
    return absent;
  } else if (inside(key, **found, range)) {
    return **found;
  }
  return range.low;
}

bool HyperParameters::flag(std::string_view key, bool absent) {
  const Result<std::optional<bool>> found = metadata_.boolean(full(key));
  if (!found) fault(found.error().what);
  return found ? found->value_or(absent) : absent;
}

std::vector<bool> HyperParameters::flags(std::string_view key) const {
  const MetadataValue* found = metadata_.find(full(key));
  const auto* list = found != nullptr ? std::get_if<std::vector<bool>>(found) : nullptr;
  return list != nullptr ? *list : std::vector<bool>();
}

std::string HyperParameters::text(std::string_view key, std::string absent) {
  Result<std::optional<std::string>> found = metadata_.text(full(key));
  if (!found) fault(found.error().what);
  return found && found->has_value() ? std::move(**found) : std::move(absent);
}

std::vector<std::int64_t> HyperParameters::per_layer(std::string_view key,
                                                     const std::vector<std::int64_t>& absent,
                                                     std::int64_t count, Range range) {
  const auto layers = static_cast<std::size_t>(count);
  const std::vector<std::int64_t>* list = metadata_.integers(full(key));
  if (list == nullptr) {
    if (!has(key) && !absent.empty()) return absent;
    return std::vector<std::int64_t>(layers, required_integer(key, range));
  }
  if (list->size() != layers) {
    fault(fmt::format("{} lists {} values for {} layers", full(key), list->size(), layers));
    return std::vector<std::int64_t>(layers, static_cast<std::int64_t>(range.low));
  }
  for (const std::int64_t value : *list) {
    if (!inside(key, static_cast<double>(value), range)) {
      return std::vector<std::int64_t>(layers, static_cast<std::int64_t>(range.low));
    }
  }
  return *list;
}

Result<> HyperParameters::check() const {
  if (faults_.empty()) return {};
  return fail(Error::Code::invalid,
              fmt::format("the model's metadata cannot be used: {}", fmt::join(faults_, "; ")), {},
              "model_invalid");
}

Result<TransformerConfig> TransformerConfig::read(const Metadata& metadata) {
  TransformerConfig config;
  Result<std::optional<std::string>> architecture = metadata.text("general.architecture");
  if (!architecture) return tl::unexpected(std::move(architecture).error());
  config.architecture = architecture->value_or("");

  HyperParameters from(metadata, config.architecture);
  config.context = from.required_integer("context_length", {1, 1 << 28});
  config.width = from.required_integer("embedding_length", {1, kWidest});
  read_layers(from, config);
  read_heads(from, config);
  read_vocabulary(metadata, from, config);
  config.rope.head_width = config.key_width;
  read_rope(from, config.context, config.rope);
  const bool layer_norm = from.has("attention.layer_norm_epsilon");
  config.norm_epsilon = static_cast<float>(from.required_real(
      layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", {0.0, 1.0}));
  read_experts(from, config);
  read_pooling(from, config);
  const auto positive = [&](std::string_view key, double absent) {
    return static_cast<float>(from.real(key, absent, {0.0, 1e6}));
  };
  config.attention_soft_cap = positive("attn_logit_softcapping", 0.0);
  config.final_soft_cap = positive("final_logit_softcapping", 0.0);
  config.embedding_scale = positive("embedding_scale", 1.0);
  config.residual_scale = positive("residual_scale", 1.0);
  config.logit_scale = positive("logit_scale", 1.0);
  config.window = from.integer("attention.sliding_window", 0, {0, 1 << 28});
  config.window_rope_base = static_cast<float>(from.real("rope.freq_base_swa", 10000.0, {1e-3, 1e15}));
  config.original_context =
      from.integer("rope.scaling.original_context_length", config.context, {1, 1 << 28});
  config.listed_windows_ = from.flags("attention.sliding_window_pattern");
  if (config.listed_windows_.empty())
    config.listed_period_ = from.integer("attention.sliding_window_pattern", 0, {0, kMostLayers});
  config.listed_rotations_ = from.flags("rope.layers");
  config.pairs_are_halves_ = from.text("rope.pairing", "") == "halves";
  if (Result<> sound = from.check(); !sound) return tl::unexpected(std::move(sound).error());
  return config;
}

void TransformerConfig::set_pairing(RopeParams::Pairing in_gguf) {
  rope.pairing = pairs_are_halves_ ? RopeParams::Pairing::halves : in_gguf;
}

void TransformerConfig::set_windows(std::int64_t period) {
  if (listed_period_ > 0) period = listed_period_;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool listed = listed_windows_.size() == layers.size();
    const bool windowed =
        listed ? listed_windows_[i] : period == 0 || static_cast<std::int64_t>(i + 1) % period != 0;
    layers[i].window = windowed ? window : 0;
  }
}

void TransformerConfig::set_unrotated(std::int64_t period) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool listed = listed_rotations_.size() == layers.size();
    layers[i].rotates = listed ? listed_rotations_[i] : static_cast<std::int64_t>(i + 1) % period != 0;
  }
}

}  // namespace pensieve::model
