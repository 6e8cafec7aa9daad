// How each building block becomes nodes and weights; those of a layer: layer.cpp.
#include "model/graph_builder.h"

#include <fmt/format.h>

#include <algorithm>

namespace pensieve::model {

Value Value::operator+(Value other) const {
  return builder_->add_node(AddParams{}, {*this, other}, {}, width());
}

Value Value::operator*(float factor) const {
  if (factor == 1.0F) return *this;
  return builder_->add_node(ScaleParams{factor}, {*this}, {}, width(), head_width_);
}

std::int64_t Value::width() const {
  return builder_->graph_.values[index_].width;
}

GraphBuilder::GraphBuilder(const TransformerConfig& config, const ModelFacts& facts)
    : config_(config), tensors_(facts.tensors), context_(facts.context > 0 ? facts.context : config.context) {
  graph_.vocabulary = config.vocabulary;
  graph_.trained_context = config.context;
  graph_.pooling = config.pooling;
  graph_.causal = config.causal;
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

std::uint32_t GraphBuilder::weight(const std::string& name, std::vector<std::int64_t> shape, Part part) {
  const auto [found, is_new] =
      weight_index_.try_emplace({name, part.first}, static_cast<std::uint32_t>(graph_.weights.size()));
  if (is_new) graph_.weights.push_back({name, std::move(shape), part.first, part.tensor_rows});
  return found->second;
}

Value GraphBuilder::linear(Value x, const std::string& name, std::int64_t features, std::int64_t head_width,
                           Part part) {
  std::vector<std::uint32_t> weights{weight(name + ".weight", {features, x.width()}, part)};
  if (const std::string bias = name + ".bias"; tensors_.contains(bias))
    weights.push_back(weight(bias, {features}, part));
  return add_node(LinearParams{}, {x}, std::move(weights), features, head_width);
}

Value GraphBuilder::norm(Value x, const std::string& name, NormParams::Kind kind) {
  const std::int64_t group = x.head_width_ != 0 ? x.head_width_ : x.width();
  // Some models keep a weight for each head; only the tensor's size can tell.
  const bool own = group != x.width() && tensors_.elements(name + ".weight") == x.width();
  const std::vector<std::int64_t> shape{own ? x.width() : group};
  std::vector<std::uint32_t> weights{weight(name + ".weight", shape)};
  if (const std::string bias = name + ".bias"; tensors_.contains(bias))
    weights.push_back(weight(bias, shape));
  const NormParams params{.kind = kind, .epsilon = config_.norm_epsilon, .group_width = group};
  return add_node(params, {x}, std::move(weights), x.width(), x.head_width_);
}

// Divisors of the frequencies: Llama 3.1 and later stretch single ones, longrope has a list for short texts
// and one for long texts; their files carry them as tensors.
std::vector<std::uint32_t> GraphBuilder::rope_factors(std::int64_t pairs) {
  if (has("rope_freqs")) return {weight("rope_freqs.weight", {pairs})};
  if (!has("rope_factors_long") || !has("rope_factors_short")) return {};
  const bool is_long = context_ > config_.original_context;
  graph_.regime_context = is_long ? 0 : config_.original_context;
  does_without(is_long ? "rope_factors_short" : "rope_factors_long");
  return {weight(is_long ? "rope_factors_long.weight" : "rope_factors_short.weight", {pairs})};
}

void GraphBuilder::does_without(const std::string& beginning) {
  const auto found = std::find(graph_.unused.begin(), graph_.unused.end(), beginning);
  if (found == graph_.unused.end()) graph_.unused.push_back(beginning);
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

Value GraphBuilder::embed_positions(std::string_view name) {
  graph_.position_limit = config_.context;
  const std::uint32_t table = weight(std::string(name) + ".weight", {config_.context, config_.width});
  return add_node(EmbedParams{EmbedParams::Index::position}, {}, {table}, config_.width);
}

Value GraphBuilder::embed_segments(std::string_view name, std::int64_t rows) {
  graph_.segments = rows;
  const std::uint32_t table = weight(std::string(name) + ".weight", {rows, config_.width});
  return add_node(EmbedParams{EmbedParams::Index::segment}, {}, {table}, config_.width);
}

Value GraphBuilder::rms_norm(Value x, std::string_view name) {
  return norm(x, std::string(name), NormParams::Kind::rms);
}

Value GraphBuilder::layer_norm(Value x, std::string_view name) {
  return norm(x, std::string(name), NormParams::Kind::layer);
}

Value GraphBuilder::activate(Value x, ActivateParams params) {
  return add_node(params, {x}, {}, x.width(), x.head_width_);
}

Value GraphBuilder::gate(Value gate, Value x, ActivateParams params) {
  return add_node(params, {gate, x}, {}, x.width(), x.head_width_);
}

Value GraphBuilder::soft_cap(Value x, float cap) {
  if (cap == 0.0F) return x;
  return activate(x * (1.0F / cap), {Activate::tanh}) * cap;
}

Value GraphBuilder::slice(Value x, std::int64_t group_width, std::int64_t first, std::int64_t width) {
  return add_node(SliceParams{group_width, first, width}, {x}, {}, x.width() / group_width * width, width);
}

Value GraphBuilder::join(std::int64_t groups, Value a, std::int64_t a_width, Value b, std::int64_t b_width) {
  return add_node(JoinParams{groups, a_width, b_width}, {a, b}, {}, groups * (a_width + b_width),
                  a_width + b_width);
}

Value GraphBuilder::output_rows(Value x) {
  return add_node(SelectRowsParams{}, {x}, {}, x.width());
}

Value GraphBuilder::head(Value x, std::string_view name, std::string_view tied) {
  if (config_.pooling == Pooling::none) {
    return linear(x, std::string(has(name) ? name : tied), config_.vocabulary);
  }
  does_without(std::string(name) + ".");
  if (!ranks(config_.pooling)) {
    does_without("cls.");  // the classifier of another task
    return x;
  }
  if (has("cls")) x = activate(linear(x, "cls", x.width()), {Activate::tanh});
  const std::int64_t labels = std::max<std::int64_t>(tensors_.elements("cls.output.weight") / x.width(), 1);
  return linear(x, "cls.output", labels);
}

Result<Graph> GraphBuilder::finish(Value result) {
  graph_.logits = result.index_;
  if (Result<> sound = validate(graph_); !sound) return tl::unexpected(std::move(sound).error());
  return std::move(graph_);
}

}  // namespace pensieve::model
