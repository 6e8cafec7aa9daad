// The building blocks of one layer: projections, attention, feed-forward networks and experts.
#include <fmt/format.h>

#include "model/graph_builder.h"

namespace pensieve::model {

std::string Layer::name(std::string_view weight) const {
  return fmt::format("blk.{}.{}", index_, weight);
}

const LayerConfig& Layer::config() const {
  return builder_->config_.layers[index_];
}

bool Layer::has(std::string_view weight) const {
  return builder_->has(name(weight));
}

Layer::Heads Layer::qkv(Value x) const {
  const TransformerConfig& config = builder_->config_;
  const LayerConfig& layer = this->config();
  const std::int64_t q_rows = layer.heads * config.key_width, k_rows = layer.kv_heads * config.key_width,
                     v_rows = layer.kv_heads * config.value_width;
  const bool fused = has("attn_qkv");
  const std::int64_t all = q_rows + k_rows + v_rows;
  const auto part = [&](std::string_view own, std::int64_t first, std::int64_t rows, std::int64_t head) {
    if (!fused) return builder_->linear(x, name(own), rows, head);
    return builder_->linear(x, name("attn_qkv"), rows, head, {first, all});
  };
  const Value q = part("attn_q", 0, q_rows, config.key_width);
  const Value k = part("attn_k", q_rows, k_rows, config.key_width);
  const Value v = part("attn_v", q_rows + k_rows, v_rows, config.value_width);
  return {q, k, v};
}

Value Layer::rms_norm(Value x, std::string_view weight) const {
  return builder_->rms_norm(x, name(weight));
}

Value Layer::layer_norm(Value x, std::string_view weight) const {
  return builder_->layer_norm(x, name(weight));
}

Value Layer::rms_norm_if_any(Value x, std::string_view weight) const {
  return has(weight) ? rms_norm(x, weight) : x;
}

Value Layer::layer_norm_if_any(Value x, std::string_view weight) const {
  return has(weight) ? layer_norm(x, weight) : x;
}

Value Layer::rope(Value x) const {
  return rope_last(x, 0);
}

Value Layer::rope_last(Value x, std::int64_t width) const {
  const LayerConfig& layer = config();
  if (!layer.rotates) return x;
  RopeParams params = builder_->config_.rope;
  params.head_width = x.head_width_;
  if (width > 0) {
    params.first_column = x.head_width_ - width;
    params.rotary_width = width;
  }
  if (layer.rope_base > 0.0F) params.base = layer.rope_base;
  if (!layer.stretched) {
    params.scaling = RopeParams::Scaling::none;
    params.scale_factor = params.attention_factor = 1.0F;
  }
  std::vector<std::uint32_t> factors = builder_->rope_factors(params.rotary_width / 2);
  return builder_->add_node(params, {x}, std::move(factors), x.width(), x.head_width_);
}

Value Layer::attention(Value q, Value k, Value v) const {
  const TransformerConfig& config = builder_->config_;
  const LayerConfig& layer = this->config();
  Graph& graph = builder_->graph_;
  const AttentionParams params{.heads = q.width() / k.head_width_,
                               .kv_heads = k.width() / k.head_width_,
                               .key_width = k.head_width_,
                               .value_width = v.head_width_,
                               .scale = config.attention_scale,
                               .window = layer.window,
                               .soft_cap = config.attention_soft_cap,
                               .causal = config.causal};
  const auto state = static_cast<std::int32_t>(graph.states.size());
  graph.states.push_back({.kind = StateSpec::Kind::paged_kv,
                          .heads = params.kv_heads,
                          .key_width = params.key_width,
                          .value_width = params.value_width,
                          .window = layer.window,
                          .group = builder_->state_group(StateSpec::Kind::paged_kv, layer.window)});
  std::vector<std::uint32_t> sinks;
  if (has("attn_sinks")) sinks.push_back(builder_->weight(name("attn_sinks.weight"), {params.heads}));
  const Value out = builder_->add_node(params, {q, k, v}, std::move(sinks), params.heads * params.value_width,
                                       params.value_width);
  graph.nodes.back().state = state;
  return out;
}

Value Layer::linear(Value x, std::string_view weight, std::int64_t features) const {
  return builder_->linear(x, name(weight), features == 0 ? builder_->config_.width : features);
}

Value Layer::linear_blocks(Value x, std::string_view weight, std::int64_t blocks,
                           std::int64_t features) const {
  const std::uint32_t matrices =
      builder_->weight(name(weight) + ".weight", {blocks, features / blocks, x.width() / blocks});
  return builder_->add_node(LinearParams{blocks}, {x}, {matrices}, features, features / blocks);
}

Value Layer::gated(Value x, Activate f) const {
  return gated(x, f, "", config().feed_forward);
}

Value Layer::gated(Value x, Activate f, std::string_view suffix, std::int64_t inner) const {
  const auto called = [&](std::string_view part) { return fmt::format("{}{}", part, suffix); };
  const bool fused = !has(called("ffn_gate"));
  const auto half = [&](std::string_view own, std::int64_t first) {
    if (!fused) return linear(x, called(own), inner);
    return builder_->linear(x, name(called("ffn_up")), inner, 0, {first, 2 * inner});
  };
  const Value gate = half("ffn_gate", 0);
  const Value up = half("ffn_up", inner);
  return linear(builder_->gate(gate, up, {f}), called("ffn_down"));
}

Value Layer::mlp(Value x, Activate f) const {
  const Value up = linear(x, "ffn_up", config().feed_forward);
  return linear(builder_->activate(up, {f}), "ffn_down");
}

Value Layer::experts(Value x, ActivateParams f) const {
  const ExpertsConfig& experts = builder_->config_.experts;
  const Value scores = linear(x, "ffn_gate_inp", experts.count);
  std::vector<std::uint32_t> bias;
  if (const std::string called = name("exp_probs_b.bias"); builder_->tensors_.contains(called))
    bias.push_back(builder_->weight(called, {experts.count}));
  const Value chosen = builder_->add_node(experts.route, {scores}, std::move(bias), experts.count);
  const Value routed = expert_stacks(x, chosen, f);
  if (!has("ffn_up_shexp")) return routed;
  Value shared = gated(x, f.kind, "_shexp", experts.shared_inner);
  if (has("ffn_gate_inp_shexp"))
    shared = builder_->gate(linear(x, "ffn_gate_inp_shexp", 1), shared, {Activate::sigmoid});
  return routed + shared;
}

Value Layer::expert_stacks(Value x, Value chosen, ActivateParams f) const {
  const ExpertsConfig& experts = builder_->config_.experts;
  const std::int64_t width = builder_->config_.width;
  const auto stack = [&](std::string_view weight, std::int64_t rows, std::int64_t columns) {
    return builder_->weight(name(weight), {experts.count, rows, columns});
  };
  std::vector<std::uint32_t> weights{stack("ffn_gate_exps.weight", experts.inner, width),
                                     stack("ffn_up_exps.weight", experts.inner, width),
                                     stack("ffn_down_exps.weight", width, experts.inner)};
  if (builder_->tensors_.contains(name("ffn_gate_exps.bias"))) {
    for (const auto& [part, rows] :
         {std::pair{"gate", experts.inner}, {"up", experts.inner}, {"down", width}}) {
      weights.push_back(builder_->weight(name(fmt::format("ffn_{}_exps.bias", part)), {experts.count, rows}));
    }
  }
  return builder_->add_node(ExpertsParams{f, experts.route.used}, {x, chosen}, std::move(weights), width);
}

}  // namespace pensieve::model
