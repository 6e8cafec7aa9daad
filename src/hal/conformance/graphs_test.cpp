// Graphs for the other tests of this folder, and the check that they are well-formed.
#include "hal/conformance/graphs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pensieve::hal::conformance {

std::uint32_t GraphWriter::append(OpParams params, std::vector<std::uint32_t> inputs,
                                  std::vector<std::uint32_t> weights, ValueSpec output, std::int32_t state) {
  const auto value = static_cast<std::uint32_t>(graph_.values.size());
  graph_.values.push_back(output);
  graph_.nodes.push_back({std::move(params), std::move(inputs), value, std::move(weights), state});
  return value;
}

std::uint32_t GraphWriter::weight(std::string name, std::vector<std::int64_t> shape) {
  graph_.weights.push_back({std::move(name), std::move(shape)});
  return static_cast<std::uint32_t>(graph_.weights.size() - 1);
}

std::uint32_t GraphWriter::embed(std::int64_t width) {
  return append(EmbedParams{}, {}, {weight("table", {graph_.vocabulary, width})}, {width, Rows::batch});
}

std::uint32_t GraphWriter::linear(std::uint32_t in, std::int64_t out_width, const std::string& name,
                                  bool bias) {
  std::vector<std::uint32_t> weights{weight(name, {out_width, width(in)})};
  if (bias) weights.push_back(weight(name + ".bias", {out_width}));
  return append(LinearParams{}, {in}, std::move(weights), {out_width, rows(in)});
}

std::uint32_t GraphWriter::norm(std::uint32_t in, NormParams params, const std::string& name, int weights) {
  std::vector<std::uint32_t> indices;
  if (weights > 0) indices.push_back(weight(name, {params.group_width}));
  if (weights > 1) indices.push_back(weight(name + ".bias", {params.group_width}));
  return append(params, {in}, std::move(indices), {width(in), rows(in)});
}

std::uint32_t GraphWriter::rope(std::uint32_t in, RopeParams params, bool factors) {
  std::vector<std::uint32_t> weights;
  if (factors) weights.push_back(weight("rope_factors", {params.rotary_width / 2}));
  return append(params, {in}, std::move(weights), {width(in), rows(in)});
}

std::uint32_t GraphWriter::attention(std::uint32_t q, std::uint32_t k, std::uint32_t v,
                                     AttentionParams params, std::uint32_t group, bool sinks) {
  std::vector<std::uint32_t> weights;
  if (sinks) weights.push_back(weight("sinks", {params.heads}));
  graph_.states.push_back({StateSpec::Kind::paged_kv, params.kv_heads, params.key_width, params.value_width,
                           params.window, 0, group});
  graph_.state_groups = std::max(graph_.state_groups, group + 1);
  return append(params, {q, k, v}, std::move(weights), {params.heads * params.value_width, Rows::batch},
                static_cast<std::int32_t>(graph_.states.size() - 1));
}

std::uint32_t GraphWriter::linear_blocks(std::uint32_t in, std::int64_t blocks, std::int64_t out_width) {
  const std::uint32_t matrices = weight("blocks", {blocks, out_width / blocks, width(in) / blocks});
  return append(LinearParams{blocks}, {in}, {matrices}, {out_width, rows(in)});
}

std::uint32_t GraphWriter::route(std::uint32_t scores, RouteParams params, bool bias) {
  std::vector<std::uint32_t> weights;
  if (bias) weights.push_back(weight("route.bias", {width(scores)}));
  return append(params, {scores}, std::move(weights), {width(scores), rows(scores)});
}

std::uint32_t GraphWriter::experts(std::uint32_t x, std::uint32_t chosen, ExpertsParams params,
                                   std::int64_t inner, bool biases) {
  const std::int64_t count = width(chosen), outer = width(x);
  std::vector<std::uint32_t> weights{weight("gate", {count, inner, outer}),
                                     weight("up", {count, inner, outer}),
                                     weight("down", {count, outer, inner})};
  if (biases) {
    weights.push_back(weight("gate.bias", {count, inner}));
    weights.push_back(weight("up.bias", {count, inner}));
    weights.push_back(weight("down.bias", {count, outer}));
  }
  return append(params, {x, chosen}, std::move(weights), {outer, rows(x)});
}

std::uint32_t GraphWriter::slice(std::uint32_t in, SliceParams params) {
  return append(params, {in}, {}, {width(in) / params.group_width * params.width, rows(in)});
}

std::uint32_t GraphWriter::join(std::uint32_t a, std::uint32_t b, JoinParams params) {
  return append(params, {a, b}, {}, {params.groups * (params.a_width + params.b_width), rows(a)});
}

std::uint32_t GraphWriter::activate(std::uint32_t in, ActivateParams::Kind kind) {
  return append(ActivateParams{kind}, {in}, {}, {width(in), rows(in)});
}

std::uint32_t GraphWriter::activate_gated(std::uint32_t in, std::uint32_t gated, ActivateParams::Kind kind) {
  return append(ActivateParams{kind}, {in, gated}, {}, {width(in), rows(in)});
}

std::int32_t GraphWriter::slot(std::int64_t elements) {
  StateSpec state;
  state.kind = StateSpec::Kind::recurrent;
  state.sequence_elements = elements;
  graph_.states.push_back(state);
  return static_cast<std::int32_t>(graph_.states.size() - 1);
}

std::uint32_t GraphWriter::conv(std::uint32_t in, std::int64_t taps, bool bias) {
  std::vector<std::uint32_t> weights{weight("taps", {width(in), taps})};
  if (bias) weights.push_back(weight("taps.bias", {width(in)}));
  return append(ConvParams{taps}, {in}, std::move(weights), {width(in), Rows::batch},
                slot(width(in) * (taps - 1)));
}

std::uint32_t GraphWriter::scan(std::uint32_t x, std::uint32_t b, std::uint32_t c, std::uint32_t dt,
                                ScanParams params) {
  std::vector<std::uint32_t> weights{weight("decay", {params.heads}), weight("step", {params.heads}),
                                     weight("skip", {params.heads})};
  return append(params, {x, b, c, dt}, std::move(weights), {width(x), Rows::batch},
                slot(width(x) * params.state_width));
}

std::uint32_t GraphWriter::delta(const std::vector<std::uint32_t>& qkvab, DeltaParams params) {
  std::vector<std::uint32_t> weights{weight("decay", {params.value_heads}),
                                     weight("step", {params.value_heads})};
  return append(params, qkvab, std::move(weights), {width(qkvab[2]), Rows::batch},
                slot(width(qkvab[2]) * params.key_width));
}

std::uint32_t GraphWriter::add(std::uint32_t a, std::uint32_t b) {
  return append(AddParams{}, {a, b}, {}, {width(a), rows(a)});
}

std::uint32_t GraphWriter::scale(std::uint32_t in, float factor) {
  return append(ScaleParams{factor}, {in}, {}, {width(in), rows(in)});
}

std::uint32_t GraphWriter::select_rows(std::uint32_t in) {
  return append(SelectRowsParams{}, {in}, {}, {width(in), Rows::output});
}

Graph GraphWriter::finish(std::uint32_t value) {
  graph_.logits = rows(value) == Rows::batch ? select_rows(value) : value;
  graph_.trained_context = 4096;
  return std::move(graph_);
}

Graph llama_graph(const LlamaShape& shape) {
  GraphWriter g(shape.vocabulary);
  const NormParams row_norm{NormParams::Kind::rms, 1e-5F, shape.width};
  const NormParams head_norm{NormParams::Kind::rms, 1e-6F, shape.head_width};
  RopeParams rope = shape.rope;
  rope.head_width = rope.rotary_width = shape.head_width;
  std::uint32_t x = g.embed(shape.width);
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const std::string prefix = "layer" + std::to_string(i) + ".";
    g.begin_layer();
    const std::uint32_t normed = g.norm(x, row_norm, prefix + "attn_norm", 1);
    std::uint32_t q = g.linear(normed, shape.heads * shape.head_width, prefix + "q", shape.biases);
    std::uint32_t k = g.linear(normed, shape.kv_heads * shape.head_width, prefix + "k", shape.biases);
    const std::uint32_t v = g.linear(normed, shape.kv_heads * shape.head_width, prefix + "v", shape.biases);
    if (shape.head_norms) {
      q = g.norm(q, head_norm, prefix + "q_norm", 1);
      k = g.norm(k, head_norm, prefix + "k_norm", 1);
    }
    AttentionParams params{shape.heads, shape.kv_heads, shape.head_width, shape.head_width};
    params.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_width));
    params.soft_cap = shape.soft_cap;
    params.window = i % 2 == 1 ? shape.window : 0;
    const std::uint32_t seen =
        g.attention(g.rope(q, rope), g.rope(k, rope), v, params, params.window > 0 ? 1 : 0);
    x = g.add(x, g.linear(seen, shape.width, prefix + "attn_output"));
    const std::uint32_t inner = g.norm(x, row_norm, prefix + "ffn_norm", 1);
    const std::uint32_t gate = g.linear(inner, shape.hidden, prefix + "gate"),
                        up = g.linear(inner, shape.hidden, prefix + "up");
    x = g.add(x,
              g.linear(g.activate_gated(gate, up, ActivateParams::Kind::silu), shape.width, prefix + "down"));
  }
  x = g.norm(g.select_rows(x), row_norm, "output_norm", 1);
  return g.finish(g.linear(x, shape.vocabulary, "output"));
}

Graph hybrid_graph(std::int64_t vocabulary) {
  GraphWriter g(vocabulary);
  const NormParams row_norm{NormParams::Kind::rms, 1e-5F, 64};
  std::uint32_t x = g.embed(64);
  g.begin_layer();
  x = g.add(x, g.conv(g.linear(x, 64, "short"), 3, true));
  g.begin_layer();
  std::uint32_t in = g.norm(x, row_norm, "scan_norm", 1);
  const ScanParams scan{4, 24, 2, 16};
  const std::uint32_t inner = g.activate(g.conv(g.linear(in, 96, "x"), 4, false), ActivateParams::Kind::silu);
  const std::uint32_t b = g.linear(in, 32, "b"), c = g.linear(in, 32, "c"), dt = g.linear(in, 4, "dt");
  x = g.add(x, g.linear(g.scan(inner, b, c, dt, scan), 64, "scan_out"));
  g.begin_layer();
  in = g.norm(x, row_norm, "delta_norm", 1);
  const NormParams unit{NormParams::Kind::rms, 1e-6F, 16};
  const std::uint32_t q = g.norm(g.linear(in, 32, "dq"), unit, "", 0),
                      k = g.scale(g.norm(g.linear(in, 32, "dk"), unit, "", 0), 0.25F);
  const std::uint32_t v = g.linear(in, 80, "dv"), a = g.linear(in, 4, "a"), w = g.linear(in, 4, "w");
  x = g.add(x, g.linear(g.delta({q, k, v, a, w}, {2, 4, 16, 20}), 64, "delta_out"));
  g.begin_layer();
  in = g.norm(x, row_norm, "attn_norm", 1);
  const std::uint32_t query = g.linear(in, 64, "q"), key = g.linear(in, 32, "k"),
                      value = g.linear(in, 32, "v");
  x = g.add(x, g.linear(g.attention(query, key, value, {2, 1, 32, 32, 0.18F}), 64, "attn_out"));
  return g.finish(g.linear(g.norm(g.select_rows(x), row_norm, "out_norm", 1), vocabulary, "output"));
}

namespace {

TEST(ConformanceGraphs, AreWellFormed) {
  LlamaShape shape;
  EXPECT_TRUE(validate(llama_graph(shape)));
  shape.window = 8;
  shape.biases = shape.head_norms = true;
  const Graph graph = llama_graph(shape);
  const auto checked = validate(graph);
  EXPECT_TRUE(checked) << checked.error().what;
  EXPECT_EQ(graph.state_groups, 2U);
  EXPECT_EQ(graph.layer_cuts.size(), 2U);
  const auto hybrid = validate(hybrid_graph(96));
  EXPECT_TRUE(hybrid) << hybrid.error().what;
}

}  // namespace
}  // namespace pensieve::hal::conformance
