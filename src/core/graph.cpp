// The rules of a well-formed graph: indices, order, and the shape rule of each op as core/ops/*.h states it.
#include "core/graph.h"

#include <fmt/format.h>

namespace pensieve {
namespace {

constexpr const char* kOpNames[] = {"embed",    "linear", "norm",  "rope",       "attention",
                                    "activate", "add",    "scale", "select_rows"};
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

  std::string check(const EmbedParams&) const {
    if (std::string problem = counts(0, 0, 1, 1); !problem.empty()) return problem;
    return first({weight_shape(0, {graph_.vocabulary, out().width}), output(out().width, Rows::batch)});
  }

  std::string check(const LinearParams&) const {
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
    for (std::size_t i = 0; i < node_.weights.size(); ++i)
      problem = first({problem, weight_shape(i, {params.group_width})});
    return problem;
  }

  std::string check(const RopeParams& params) const {
    if (std::string problem = counts(1, 1, 0, 1); !problem.empty()) return problem;
    if (params.head_width <= 0 || width(0) % params.head_width != 0 || params.rotary_width <= 0 ||
        params.rotary_width % 2 != 0 || params.rotary_width > params.head_width) {
      return fmt::format("rotates {} of {} columns a head in {} columns", params.rotary_width,
                         params.head_width, width(0));
    }
    return first(
        {output(width(0), rows(0)), node_.weights.empty() ? "" : weight_shape(0, {params.rotary_width / 2})});
  }

  std::string check(const AttentionParams& params) const {
    if (std::string problem = counts(3, 3, 0, 0); !problem.empty()) return problem;
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

  std::string check(const ActivateParams&) const {
    if (std::string problem = counts(1, 2, 0, 0); !problem.empty()) return problem;
    if (node_.inputs.size() == 2 && (width(1) != width(0) || rows(1) != rows(0)))
      return "gate and value differ in shape";
    return output(width(0), rows(0));
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
  if (graph.logits >= graph.values.size() || !produced[graph.logits] ||
      graph.values[graph.logits].rows != Rows::output ||
      graph.values[graph.logits].width != graph.vocabulary) {
    return fail(Error::Code::invalid,
                "the graph does not compute logits over its vocabulary for the output rows");
  }
  return {};
}

}  // namespace pensieve
