// The building blocks of layers with recurrent state: short convolutions, the selective scan and the gated
// delta rule, each with a state of its own.
#include "model/graph_builder.h"

namespace pensieve::model {

Value GraphBuilder::add_recurrent(OpParams params, std::vector<Value> inputs,
                                  std::vector<std::uint32_t> weights, std::int64_t width,
                                  std::int64_t elements) {
  StateSpec state;
  state.kind = StateSpec::Kind::recurrent;
  state.sequence_elements = elements;
  graph_.states.push_back(state);
  const Value out = add_node(std::move(params), std::move(inputs), std::move(weights), width);
  graph_.nodes.back().state = static_cast<std::int32_t>(graph_.states.size()) - 1;
  return out;
}

Value Layer::linear_rows(Value x, std::string_view weight, RowRange rows) const {
  return builder_->linear(x, name(weight), rows.count, 0, {rows.first, rows.all});
}

Value Layer::conv(Value x, std::string_view weight, std::int64_t taps, RowRange rows) const {
  const GraphBuilder::Part part{rows.first, rows.all};
  std::vector<std::uint32_t> weights{builder_->weight(name(weight) + ".weight", {x.width(), taps}, part)};
  if (const std::string bias = name(weight) + ".bias"; builder_->tensors_.contains(bias))
    weights.push_back(builder_->weight(bias, {x.width()}, part));
  return builder_->add_recurrent(ConvParams{taps}, {x}, std::move(weights), x.width(),
                                 x.width() * (taps - 1));
}

Value Layer::scan(Value x, Value b, Value c, Value dt, const ScanParams& params) const {
  const auto of_heads = [&](std::string_view weight) {
    return builder_->weight(name(weight), {params.heads});
  };
  const std::uint32_t a = of_heads("ssm_a"), step = of_heads("ssm_dt.bias"), skip = of_heads("ssm_d");
  return builder_->add_recurrent(params, {x, b, c, dt}, {a, step, skip}, x.width(),
                                 x.width() * params.state_width);
}

Value Layer::delta(Value q, Value k, Value v, Value a, Value b, const DeltaParams& params) const {
  const std::uint32_t rate = builder_->weight(name("ssm_a"), {params.value_heads});
  const std::uint32_t step = builder_->weight(name("ssm_dt.bias"), {params.value_heads});
  return builder_->add_recurrent(params, {q, k, v, a, b}, {rate, step}, v.width(),
                                 v.width() * params.key_width);
}

}  // namespace pensieve::model
