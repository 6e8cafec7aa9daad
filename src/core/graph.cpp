// The rules of a well-formed graph: indices, order, and the shape rule of each op as core/ops/*.h states it.
#include "core/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace pensieve {
namespace {

constexpr const char* kOpNames[] = {"embed",    "linear", "norm",  "rope",        "attention",
                                    "activate", "add",    "scale", "select_rows", "route",
                                    "experts",  "slice",  "join"};
static_assert(std::size(kOpNames) == std::variant_size_v<OpParams>);

constexpr std::int64_t kLargestWidth = std::int64_t{1} << 31;

// Checks one node; the problem comes back as text, empty when there is none.
class NodeCheck {
 public:
  NodeCheck(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  std::string run() {
    return std::visit([this](const auto& params) { return check(params); }, node_.params);
  }

 private:
  std::int64_t width(std::size_t input) const { return graph_.values[node_.inputs[input]].width; }
  Rows rows(std::size_t input) const { return graph_.values[node_.inputs[input]].rows; }
  const ValueSpec& out() const { return graph_.values[node_.output]; }

  std::string counts(std::size_t inputs_low, std::size_t inputs_high, std::size_t weights_low,
                     std::size_t weights_high) const {
    if (node_.inputs.size() < inputs_low || node_.inputs.size() > inputs_high) {
      return fmt::format("{} inputs, expected {} to {}", node_.inputs.size(), inputs_low, inputs_high);
    }
    if (node_.weights.size() < weights_low || node_.weights.size() > weights_high) {
      return fmt::format("{} weights, expected {} to {}", node_.weights.size(), weights_low, weights_high);
    }
    return {};
  }

  std::string weight_shape(std::size_t weight, std::vector<std::int64_t> wanted) const {
    const WeightSpec& spec = graph_.weights[node_.weights[weight]];
    if (spec.shape == wanted) return {};
    return fmt::format("weight {} has shape [{}], expected [{}]", spec.name, fmt::join(spec.shape, ", "),
                       fmt::join(wanted, ", "));
  }

  std::string output(std::int64_t wanted_width, Rows wanted_rows) const {
    if (out().width != wanted_width)
      return fmt::format("output is {} wide, expected {}", out().width, wanted_width);
    if (out().rows != wanted_rows) return "output has the rows of another kind than the input";
    return {};
  }

  static std::string first(std::initializer_list<std::string> problems) {
    for (const std::string& problem : problems) {
      if (!problem.empty()) return problem;
    }
    return {};
  }

  std::string check(const EmbedParams& params) const {
    if (std::string problem = counts(0, 0, 1, 1); !problem.empty()) return problem;
    std::int64_t rows = graph_.vocabulary;
    if (params.index == EmbedParams::Index::position) {
      rows = graph_.position_limit;
      if (rows <= 0) return "the graph states no position_limit";
    }
    if (params.index == EmbedParams::Index::segment) {
      rows = graph_.segments;
      if (rows <= 0) return "the graph states no segments";
    }
    return first({weight_shape(0, {rows, out().width}), output(out().width, Rows::batch)});
  }

  std::string check_blocks(std::int64_t blocks) const {
    if (std::string problem = counts(1, 1, 1, 1); !problem.empty()) return problem;
    if (blocks < 1 || width(0) % blocks != 0 || out().width % blocks != 0)
      return fmt::format("{} blocks do not divide {} and {} columns", blocks, width(0), out().width);
    return first(
        {weight_shape(0, {blocks, out().width / blocks, width(0) / blocks}), output(out().width, rows(0))});
  }

  std::string check(const LinearParams& params) const {
    if (params.blocks != 1) return check_blocks(params.blocks);
    if (std::string problem = counts(1, 1, 1, 2); !problem.empty()) return problem;
    return first({weight_shape(0, {out().width, width(0)}),
                  node_.weights.size() == 2 ? weight_shape(1, {out().width}) : "",
                  output(out().width, rows(0))});
  }

  std::string check(const NormParams& params) const {
    if (std::string problem = counts(1, 1, 0, 2); !problem.empty()) return problem;
    if (params.group_width <= 0 || width(0) % params.group_width != 0) {
      return fmt::format("group width {} does not divide {}", params.group_width, width(0));
    }
    std::string problem = output(width(0), rows(0));
    for (std::size_t i = 0; i < node_.weights.size(); ++i) {
      const bool own = graph_.weights[node_.weights[i]].shape == std::vector{width(0)};
      problem = first({problem, own ? "" : weight_shape(i, {params.group_width})});
    }
    return problem;
  }

  std::string check(const RopeParams& params) const {
    if (std::string problem = counts(1, 1, 0, 1); !problem.empty()) return problem;
    if (params.head_width <= 0 || width(0) % params.head_width != 0 || params.rotary_width <= 0 ||
        params.rotary_width % 2 != 0 || params.first_column < 0 || params.first_column > params.head_width ||
        params.rotary_width > params.head_width - params.first_column) {
      return fmt::format("rotates {} of {} columns a head in {} columns, from {}", params.rotary_width,
                         params.head_width, width(0), params.first_column);
    }
    return first(
        {output(width(0), rows(0)), node_.weights.empty() ? "" : weight_shape(0, {params.rotary_width / 2})});
  }

  std::string check(const AttentionParams& params) const {
    if (std::string problem = counts(3, 3, 0, 1); !problem.empty()) return problem;
    if (!node_.weights.empty()) {
      if (std::string problem = weight_shape(0, {params.heads}); !problem.empty()) return problem;
    }
    if (params.causal != graph_.causal) return "its direction is not the graph's";
    if (params.heads <= 0 || params.kv_heads <= 0 || params.heads % params.kv_heads != 0) {
      return fmt::format("{} heads cannot share {} key heads", params.heads, params.kv_heads);
    }
    if (width(0) != params.heads * params.key_width || width(1) != params.kv_heads * params.key_width ||
        width(2) != params.kv_heads * params.value_width) {
      return fmt::format("q, k, v are {}, {}, {} wide, which does not match the heads", width(0), width(1),
                         width(2));
    }
    if (node_.state < 0 || static_cast<std::size_t>(node_.state) >= graph_.states.size())
      return "has no state";
    const StateSpec& state = graph_.states[static_cast<std::size_t>(node_.state)];
    if (state.kind != StateSpec::Kind::paged_kv || state.heads != params.kv_heads ||
        state.key_width != params.key_width || state.value_width != params.value_width ||
        state.group >= graph_.state_groups) {
      return "its state does not match its heads";
    }
    return output(params.heads * params.value_width, Rows::batch);
  }

  std::string check(const ActivateParams& params) const {
    const bool paired = params.kind == ActivateParams::Kind::silu_clamped;
    if (std::string problem = counts(paired ? 2 : 1, 2, 0, 0); !problem.empty()) return problem;
    if (node_.inputs.size() == 2 && (width(1) % width(0) != 0 || rows(1) != rows(0)))
      return "gate and value do not match in shape";
    return output(width(node_.inputs.size() - 1), rows(0));
  }

  std::string check(const AddParams&) const {
    if (std::string problem = counts(2, 2, 0, 0); !problem.empty()) return problem;
    if (width(1) != width(0) || rows(1) != rows(0)) return "the two inputs differ in shape";
    return output(width(0), rows(0));
  }

  std::string check(const ScaleParams&) const {
    if (std::string problem = counts(1, 1, 0, 0); !problem.empty()) return problem;
    return output(width(0), rows(0));
  }

  std::string check(const SelectRowsParams&) const {
    if (std::string problem = counts(1, 1, 0, 0); !problem.empty()) return problem;
    if (rows(0) != Rows::batch) return "its input has been selected already";
    return output(width(0), Rows::output);
  }

  std::string check(const RouteParams& params) const {
    if (std::string problem = counts(1, 1, 0, 1); !problem.empty()) return problem;
    const std::int64_t experts = width(0);
    if (params.used < 1 || params.used > experts || params.groups < 1 || experts % params.groups != 0 ||
        params.groups_used < 1 || params.groups_used > params.groups ||
        params.used > experts / params.groups * params.groups_used) {
      return fmt::format("chooses {} of {} experts, from {} of {} groups", params.used, experts,
                         params.groups_used, params.groups);
    }
    return first({output(experts, rows(0)), node_.weights.empty() ? "" : weight_shape(0, {experts})});
  }

  std::string check(const ExpertsParams& params) const {
    if (std::string problem = counts(2, 2, 3, 6); !problem.empty()) return problem;
    if (node_.weights.size() != 3 && node_.weights.size() != 6)
      return fmt::format("{} weights, expected 3 or 6", node_.weights.size());
    const std::int64_t experts = width(1);
    const std::vector<std::int64_t>& gate = graph_.weights[node_.weights[0]].shape;
    if (gate.size() != 3) return "its weights are not stacks of matrices";
    if (rows(1) != rows(0)) return "the two inputs differ in rows";
    if (params.used < 1 || params.used > experts)
      return fmt::format("uses {} of {} experts", params.used, experts);
    const std::int64_t inner = gate[1];
    std::string problem =
        first({weight_shape(0, {experts, inner, width(0)}), weight_shape(1, {experts, inner, width(0)}),
               weight_shape(2, {experts, out().width, inner}), output(out().width, rows(0))});
    if (node_.weights.size() == 3) return problem;
    return first({problem, weight_shape(3, {experts, inner}), weight_shape(4, {experts, inner}),
                  weight_shape(5, {experts, out().width})});
  }

  std::string check(const SliceParams& params) const {
    if (std::string problem = counts(1, 1, 0, 0); !problem.empty()) return problem;
    if (params.group_width < 1 || width(0) % params.group_width != 0 || params.first < 0 ||
        params.width < 1 || params.first > params.group_width ||
        params.width > params.group_width - params.first) {
      return fmt::format("keeps {} columns from {} on of each {} in {}", params.width, params.first,
                         params.group_width, width(0));
    }
    return output(width(0) / params.group_width * params.width, rows(0));
  }

  std::string check(const JoinParams& params) const {
    if (std::string problem = counts(2, 2, 0, 0); !problem.empty()) return problem;
    if (params.groups < 1 || params.a_width < 1 || params.b_width < 1 || rows(1) != rows(0) ||
        params.groups > kLargestWidth || params.a_width > kLargestWidth || params.b_width > kLargestWidth)
      return "its inputs differ in rows, or have no columns";
    const auto fits = [&](std::size_t input, std::int64_t each) {
      return width(input) == each || width(input) == each * params.groups;
    };
    if (!fits(0, params.a_width) || !fits(1, params.b_width)) {
      return fmt::format("joins {} + {} columns {} times from {} and {}", params.a_width, params.b_width,
                         params.groups, width(0), width(1));
    }
    return output(params.groups * (params.a_width + params.b_width), rows(0));
  }

  const Graph& graph_;
  const Node& node_;
};

tl::unexpected<Error> malformed(const Graph& graph, std::size_t node, const std::string& problem) {
  return fail(Error::Code::invalid,
              fmt::format("graph node {} ({}): {}", node, op_name(graph.nodes[node].op()), problem));
}

std::string check_indices(const Graph& graph, const Node& node, const std::vector<bool>& produced) {
  for (const std::uint32_t input : node.inputs) {
    if (input >= graph.values.size() || !produced[input])
      return fmt::format("input {} is not computed before", input);
  }
  for (const std::uint32_t weight : node.weights) {
    if (weight >= graph.weights.size()) return fmt::format("weight {} does not exist", weight);
  }
  if (node.output >= graph.values.size()) return fmt::format("output {} does not exist", node.output);
  if (produced[node.output]) return fmt::format("output {} is computed twice", node.output);
  return {};
}

}  // namespace

const char* op_name(Op op) {
  return kOpNames[static_cast<std::size_t>(op)];
}

Result<> validate(const Graph& graph) {
  for (const ValueSpec& value : graph.values) {
    if (value.width <= 0 || value.width > kLargestWidth) {
      return fail(Error::Code::invalid, fmt::format("graph value of width {}", value.width));
    }
  }
  std::vector<bool> produced(graph.values.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    std::string problem = check_indices(graph, graph.nodes[i], produced);
    if (problem.empty()) problem = NodeCheck(graph, graph.nodes[i]).run();
    if (!problem.empty()) return malformed(graph, i, problem);
    produced[graph.nodes[i].output] = true;
  }
  const bool pools = graph.pooling != Pooling::none;
  if (graph.logits >= graph.values.size() || !produced[graph.logits] ||
      graph.values[graph.logits].rows != Rows::output ||
      (!pools && graph.values[graph.logits].width != graph.vocabulary)) {
    return fail(Error::Code::invalid,
                "the graph does not compute logits over its vocabulary for the output rows");
  }
  return {};
}

}  // namespace pensieve
