// The patterns: [norm] + linears of one input + [gate, bias, residual], and rope + attention. A value
// disappears into a phase only where nobody else reads it.
#include "hal/fusion.h"

#include <algorithm>

namespace pensieve::hal {
namespace {

constexpr std::uint32_t kOutside = 0xFFFFFFFFU;

class Fusion {
 public:
  Fusion(const Segment& segment, const std::function<bool(std::uint32_t, std::uint32_t)>& alike)
      : graph_(*segment.graph),
        first_(segment.first_node),
        end_(segment.end_node),
        alike_(alike),
        users_(graph_.values.size()),
        producer_(graph_.values.size(), kOutside),
        done_(graph_.nodes.size()),
        norm_of_(graph_.values.size(), -1),
        rope_of_(graph_.values.size(), -1) {
    for (std::uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      const bool inside = i >= first_ && i < end_;
      for (const std::uint32_t value : graph_.nodes[i].inputs) users_[value].push_back(inside ? i : kOutside);
      if (inside) producer_[graph_.nodes[i].output] = i;
    }
    for (const std::uint32_t value : segment.outputs) users_[value].push_back(kOutside);
    if (segment.outputs.empty() && graph_.logits < users_.size()) users_[graph_.logits].push_back(kOutside);
  }

  Program run() {
    for (std::uint32_t i = first_; i < end_; ++i) {
      if (done_[i]) continue;
      const Node& node = graph_.nodes[i];
      if (is_linear(node)) {
        add_linears(i);
      } else if (node.op() == Op::attention) {
        add_attention(i);
      } else if (node.op() == Op::norm && feeds_only_linears(node)) {
        norm_of_[node.output] = static_cast<std::int32_t>(i);
      } else if (node.op() == Op::rope && feeds_only_attention(node)) {
        rope_of_[node.output] = static_cast<std::int32_t>(i);
      } else {
        program_.phases.emplace_back(NodePhase{i, node.op() == Op::rope ? rope_index(node) : -1});
      }
    }
    return std::move(program_);
  }

 private:
  bool all_users(std::uint32_t value, Op op) const {
    return std::all_of(users_[value].begin(), users_[value].end(),
                       [&](std::uint32_t user) { return user != kOutside && graph_.nodes[user].op() == op; });
  }
  bool feeds_only_linears(const Node& node) const {
    const auto& params = std::get<NormParams>(node.params);
    const std::uint32_t in = node.inputs[0];
    return params.group_width == graph_.values[in].width && !users_[node.output].empty() &&
           std::all_of(users_[node.output].begin(), users_[node.output].end(),
                       [&](std::uint32_t user) { return user != kOutside && is_linear(graph_.nodes[user]); });
  }
  // One matrix for the whole row.
  static bool is_linear(const Node& node) {
    return node.op() == Op::linear && std::get<LinearParams>(node.params).blocks == 1;
  }
  // Alone, as q or k, and with its input free to be turned in place.
  bool feeds_only_attention(const Node& node) const {
    const auto& users = users_[node.output];
    if (users.size() != 1 || users_[node.inputs[0]].size() != 1 || !all_users(node.output, Op::attention))
      return false;
    const Node& attention = graph_.nodes[users[0]];
    return attention.inputs[2] != node.output && attention.inputs[0] != attention.inputs[1];
  }
  // The one node that reads `value`, or kOutside.
  std::uint32_t only_user(std::uint32_t value) const {
    return users_[value].size() == 1 ? users_[value][0] : kOutside;
  }

  std::int32_t rope_index(const Node& node) {
    const RopeUse use{std::get<RopeParams>(node.params),
                      node.weights.empty() ? -1 : static_cast<std::int32_t>(node.weights[0])};
    const auto same = [&](const RopeUse& other) {
      return use.factors == other.factors && use.params == other.params;
    };
    const auto found = std::find_if(program_.ropes.begin(), program_.ropes.end(), same);
    if (found != program_.ropes.end()) return static_cast<std::int32_t>(found - program_.ropes.begin());
    program_.ropes.push_back(use);
    return static_cast<std::int32_t>(program_.ropes.size()) - 1;
  }

  void add_linears(std::uint32_t first) {
    LinearPhase phase{.input = graph_.nodes[first].inputs[0]};
    const std::uint32_t input = phase.input;
    if (norm_of_[input] >= 0) {
      phase.norm_node = norm_of_[input];
      phase.input = graph_.nodes[static_cast<std::size_t>(phase.norm_node)].inputs[0];
    }
    for (std::uint32_t i = first; i < end_; ++i) {
      const Node& node = graph_.nodes[i];
      if (done_[i] || !is_linear(node) || node.inputs[0] != input) continue;
      done_[i] = true;
      phase.parts.push_back(part_of(node, first));
    }
    program_.phases.emplace_back(std::move(phase));
  }

  static std::int32_t bias_of(const Node& node) {
    return node.weights.size() > 1 ? static_cast<std::int32_t>(node.weights[1]) : -1;
  }

  LinearPart part_of(const Node& node, std::uint32_t first) {
    LinearPart part{.weight = node.weights[0], .bias = bias_of(node), .out = node.output};
    std::uint32_t user = only_user(part.out);
    if (user == kOutside) return part;
    if (graph_.nodes[user].op() == Op::activate && absorb_activation(part, node, user)) {
      user = only_user(part.out);
      if (user == kOutside) return part;
    }
    const Node& next = graph_.nodes[user];
    if (next.op() != Op::add || done_[user]) return part;
    const std::uint32_t other = next.inputs[next.inputs[0] == part.out ? 1 : 0];
    // The phase runs at the place of its first linear: what it adds must be there by then.
    if (other == part.out || (producer_[other] != kOutside && producer_[other] >= first)) return part;
    part.residual = static_cast<std::int32_t>(other);
    part.out = next.output;
    done_[user] = true;
    return part;
  }

  bool absorb_activation(LinearPart& part, const Node& node, std::uint32_t user) {
    const Node& next = graph_.nodes[user];
    const Activation activation = activation_of(std::get<ActivateParams>(next.params));
    if (activation == Activation::none) return false;
    if (next.inputs.size() == 2) {
      const std::uint32_t second = next.inputs[1];
      if (next.inputs[0] != part.out || second == part.out || producer_[second] == kOutside) return false;
      const std::uint32_t pair_index = producer_[second];
      const Node& pair = graph_.nodes[pair_index];
      if (!is_linear(pair) || done_[pair_index] || pair.inputs[0] != node.inputs[0] ||
          only_user(second) != user || !alike_(node.weights[0], pair.weights[0]))
        return false;
      part.paired = static_cast<std::int32_t>(pair.weights[0]);
      part.paired_bias = bias_of(pair);
      done_[pair_index] = true;
    }
    part.activation = activation;
    part.out = next.output;
    done_[user] = true;
    return true;
  }

  void add_attention(std::uint32_t index) {
    const Node& node = graph_.nodes[index];
    AttentionPhase phase{.node = index, .q = node.inputs[0], .k = node.inputs[1], .v = node.inputs[2]};
    const auto take = [&](std::uint32_t& value, std::int32_t& rope) {
      if (rope_of_[value] < 0) return;
      const Node& turned = graph_.nodes[static_cast<std::size_t>(rope_of_[value])];
      rope = rope_index(turned);
      value = turned.inputs[0];
    };
    take(phase.q, phase.q_rope);
    take(phase.k, phase.k_rope);
    program_.phases.emplace_back(phase);
  }

  const Graph& graph_;
  std::uint32_t first_, end_;
  const std::function<bool(std::uint32_t, std::uint32_t)>& alike_;
  std::vector<std::vector<std::uint32_t>>
      users_;                            // of each value: nodes, kOutside for those beyond the segment
  std::vector<std::uint32_t> producer_;  // of each value: node within the segment, or kOutside
  std::vector<bool> done_;               // nodes that are part of a phase
  std::vector<std::int32_t> norm_of_,
      rope_of_;  // of each value: the node that waits to be fused with its users
  Program program_;
};

}  // namespace

Program fuse(const Segment& segment, const std::function<bool(std::uint32_t, std::uint32_t)>& alike) {
  return Fusion(segment, alike).run();
}

std::vector<std::uint32_t> values_read(const Graph& graph, const Phase& phase) {
  if (const auto* linear = std::get_if<LinearPhase>(&phase)) {
    std::vector<std::uint32_t> values{linear->input};
    for (const LinearPart& part : linear->parts) {
      if (part.residual >= 0) values.push_back(static_cast<std::uint32_t>(part.residual));
    }
    return values;
  }
  if (const auto* attention = std::get_if<AttentionPhase>(&phase))
    return {attention->q, attention->k, attention->v};
  return graph.nodes[std::get<NodePhase>(phase).node].inputs;
}

std::vector<std::uint32_t> values_written(const Graph& graph, const Phase& phase) {
  if (const auto* linear = std::get_if<LinearPhase>(&phase)) {
    std::vector<std::uint32_t> values;
    for (const LinearPart& part : linear->parts) values.push_back(part.out);
    return values;
  }
  if (const auto* attention = std::get_if<AttentionPhase>(&phase))
    return {graph.nodes[attention->node].output};
  return {graph.nodes[std::get<NodePhase>(phase).node].output};
}

Activation activation_of(const ActivateParams& params) {
  switch (params.kind) {
    case ActivateParams::Kind::silu:
      return Activation::silu;
    case ActivateParams::Kind::gelu:
      return Activation::gelu;
    case ActivateParams::Kind::gelu_tanh:
      return Activation::gelu_tanh;
    case ActivateParams::Kind::relu:
      return Activation::relu;
    case ActivateParams::Kind::relu_squared:
      return Activation::relu_squared;
    case ActivateParams::Kind::sigmoid:
      return Activation::sigmoid;
    case ActivateParams::Kind::tanh:
      return Activation::tanh;
    case ActivateParams::Kind::silu_clamped:
    case ActivateParams::Kind::identity:
      break;
  }
  return Activation::none;
}

}  // namespace pensieve::hal
