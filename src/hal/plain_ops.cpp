// One function for each op that has younger forms.
#include "hal/plain_ops.h"

#include <fmt/format.h>

namespace pensieve::hal {
namespace {

std::string younger(const RopeParams& params) {
  if (params.first_column != 0) return "rotary positions on the last columns of a head";
  if (!params.whole_pairs) return "yarn between whole pairs";
  if (params.attention_factor != 1.0F && params.scaling != RopeParams::Scaling::yarn)
    return "rotary positions with a magnitude";
  return {};
}

std::string younger(const AttentionParams& params, const Node& node) {
  if (!params.causal) return "attention in both directions";
  if (!node.weights.empty()) return "attention sinks";
  return {};
}

std::string younger(const ActivateParams& params, const Graph& graph, const Node& node) {
  if (params.kind > ActivateParams::Kind::relu) return "another activation than silu, gelu or relu";
  if (node.inputs.size() == 2 && graph.values[node.inputs[0]].width != graph.values[node.inputs[1]].width)
    return "one gate for many columns";
  return {};
}

}  // namespace

std::string beyond_plain(const Graph& graph, const Node& node) {
  switch (node.op()) {
    case Op::embed:
      return std::get<EmbedParams>(node.params).index == EmbedParams::Index::token ? "" : "learned positions";
    case Op::linear:
      return std::get<LinearParams>(node.params).blocks == 1 ? "" : "a matrix for each head";
    case Op::norm: {
      const auto& params = std::get<NormParams>(node.params);
      const bool own =
          !node.weights.empty() && graph.weights[node.weights[0]].shape.back() != params.group_width;
      return own ? "a norm of its own for each head" : "";
    }
    case Op::rope:
      return younger(std::get<RopeParams>(node.params));
    case Op::attention:
      return younger(std::get<AttentionParams>(node.params), node);
    case Op::activate:
      return younger(std::get<ActivateParams>(node.params), graph, node);
    case Op::route:
    case Op::experts:
      return "routed experts";
    case Op::slice:
    case Op::join:
      return "parts of heads";
    case Op::conv:
    case Op::scan:
    case Op::delta:
      return "recurrent state";
    case Op::add:
    case Op::scale:
    case Op::select_rows:
      break;
  }
  return {};
}

Result<> check_plain(const Segment& segment, std::span<const Weight> weights, std::string_view backend) {
  const Graph& graph = *segment.graph;
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    std::string needs = beyond_plain(graph, graph.nodes[i]);
    for (const std::uint32_t weight : graph.nodes[i].weights) {
      if (needs.empty() && weight < weights.size() && !weights[weight].parts.empty())
        needs = "weights stored in parts";
    }
    if (needs.empty()) continue;
    return fail(Error::Code::unsupported,
                fmt::format("the {} backend cannot run this model yet: it needs {}; use --backend cpu",
                            backend, needs),
                "backend", "model_unsupported");
  }
  return {};
}

}  // namespace pensieve::hal
