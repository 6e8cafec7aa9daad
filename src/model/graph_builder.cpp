// How each building block becomes nodes, weights and states.
#include "model/graph_builder.h"

#include <fmt/format.h>

namespace pensieve::model {

Value Value::operator+(Value other) const {
  return builder_->add_node(AddParams{}, {*this, other}, {}, width());
}

std::int64_t Value::width() const {
  return builder_->graph_.values[index_].width;
}

std::string Layer::name(std::string_view weight) const {
  return fmt::format("blk.{}.{}", index_, weight);
}

Layer::Heads Layer::qkv(Value x) const {
  const TransformerConfig& config = builder_->config_;
  const LayerConfig& layer = config.layers[index_];
  const Value q = builder_->linear(x, name("attn_q"), layer.heads * config.key_width, config.key_width);
  const Value k = builder_->linear(x, name("attn_k"), layer.kv_heads * config.key_width, config.key_width);
  const Value v =
      builder_->linear(x, name("attn_v"), layer.kv_heads * config.value_width, config.value_width);
  return {q, k, v};
}

Value Layer::rms_norm(Value x, std::string_view weight) const {
  return builder_->rms_norm(x, name(weight));
}

Value Layer::rope(Value x) const {
  const RopeParams& params = builder_->config_.rope;
  std::vector<std::uint32_t> factors;
  // Llama 3.1 and later stretch single frequencies; their files carry the factors as a tensor.
  if (builder_->tensors_.contains("rope_freqs.weight")) {
    factors.push_back(builder_->weight("rope_freqs.weight", {params.rotary_width / 2}));
  }
  return builder_->add_node(params, {x}, std::move(factors), x.width(), x.head_width_);
}

Value Layer::attention(Value q, Value k, Value v, std::int64_t window) const {
  const TransformerConfig& config = builder_->config_;
  const LayerConfig& layer = config.layers[index_];
  Graph& graph = builder_->graph_;
  const auto state = static_cast<std::int32_t>(graph.states.size());
  graph.states.push_back({.kind = StateSpec::Kind::paged_kv,
                          .heads = layer.kv_heads,
                          .key_width = config.key_width,
                          .value_width = config.value_width,
                          .window = window,
                          .group = builder_->state_group(StateSpec::Kind::paged_kv, window)});
  const AttentionParams params{.heads = layer.heads,
                               .kv_heads = layer.kv_heads,
                               .key_width = config.key_width,
                               .value_width = config.value_width,
                               .scale = config.attention_scale,
                               .window = window};
  const Value out =
      builder_->add_node(params, {q, k, v}, {}, layer.heads * config.value_width, config.value_width);
  graph.nodes.back().state = state;
  return out;
}

Value Layer::linear(Value x, std::string_view weight, std::int64_t features) const {
  return builder_->linear(x, name(weight), features == 0 ? builder_->config_.width : features);
}

Value Layer::swiglu(Value x) const {
  const std::int64_t inner = builder_->config_.layers[index_].feed_forward;
  const Value gate = linear(x, "ffn_gate", inner);
  const Value up = linear(x, "ffn_up", inner);
  const Value gated = builder_->add_node(ActivateParams{ActivateParams::Kind::silu}, {gate, up}, {}, inner);
  return linear(gated, "ffn_down");
}

GraphBuilder::GraphBuilder(const TransformerConfig& config, const TensorNames& tensors)
    : config_(config), tensors_(tensors) {
  graph_.vocabulary = config.vocabulary;
  graph_.trained_context = config.context;
}

Layer GraphBuilder::begin_layer(std::size_t index) {
  graph_.layer_cuts.push_back(static_cast<std::uint32_t>(graph_.nodes.size()));
  return {*this, index};
}

Value GraphBuilder::add_node(OpParams params, std::vector<Value> inputs, std::vector<std::uint32_t> weights,
                             std::int64_t width, std::int64_t head_width) {
  Node node{.params = std::move(params), .weights = std::move(weights)};
  Rows rows = Rows::batch;
  for (const Value& input : inputs) {
    node.inputs.push_back(input.index_);
    rows = graph_.values[input.index_].rows;
  }
  if (node.op() == Op::select_rows) rows = Rows::output;
  node.output = static_cast<std::uint32_t>(graph_.values.size());
  graph_.values.push_back({width, rows});
  graph_.nodes.push_back(std::move(node));
  return {*this, graph_.nodes.back().output, head_width};
}

std::uint32_t GraphBuilder::weight(const std::string& name, std::vector<std::int64_t> shape) {
  const auto [found, is_new] =
      weight_index_.try_emplace(name, static_cast<std::uint32_t>(graph_.weights.size()));
  if (is_new) graph_.weights.push_back({name, std::move(shape)});
  return found->second;
}

Value GraphBuilder::linear(Value x, const std::string& name, std::int64_t features, std::int64_t head_width) {
  std::vector<std::uint32_t> weights{weight(name + ".weight", {features, x.width()})};
  if (const std::string bias = name + ".bias"; tensors_.contains(bias))
    weights.push_back(weight(bias, {features}));
  return add_node(LinearParams{}, {x}, std::move(weights), features, head_width);
}

std::uint32_t GraphBuilder::state_group(StateSpec::Kind kind, std::int64_t window) {
  const auto [found, is_new] = groups_.try_emplace({kind, window}, graph_.state_groups);
  if (is_new) ++graph_.state_groups;
  return found->second;
}

Value GraphBuilder::embed(std::string_view name) {
  const std::uint32_t table = weight(std::string(name) + ".weight", {config_.vocabulary, config_.width});
  return add_node(EmbedParams{}, {}, {table}, config_.width);
}

Value GraphBuilder::rms_norm(Value x, std::string_view name) {
  const std::int64_t group = x.head_width_ != 0 ? x.head_width_ : x.width();
  const NormParams params{
      .kind = NormParams::Kind::rms, .epsilon = config_.norm_epsilon, .group_width = group};
  return add_node(params, {x}, {weight(std::string(name) + ".weight", {group})}, x.width(), x.head_width_);
}

Value GraphBuilder::output_rows(Value x) {
  return add_node(SelectRowsParams{}, {x}, {}, x.width());
}

Value GraphBuilder::head(Value x, std::string_view name, std::string_view tied) {
  const bool own = tensors_.contains(std::string(name) + ".weight");
  return linear(x, std::string(own ? name : tied), config_.vocabulary);
}

Result<Graph> GraphBuilder::finish(Value logits) {
  graph_.logits = logits.index_;
  if (Result<> sound = validate(graph_); !sound) return tl::unexpected(std::move(sound).error());
  return std::move(graph_);
}

}  // namespace pensieve::model
