// Fusion: turns the nodes of a segment into phases: what one computes is complete before the next begins.
// Pure data in, pure data out; where values and weights lie is the plan's business.
#pragma once

#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include "core/backend.h"
#include "core/graph.h"
#include "hal/activation.h"

namespace pensieve::hal {

// -1: absent. Values and weights are indices into the graph.
struct LinearPart {
  std::uint32_t weight = 0;
  std::int32_t bias = -1;
  std::int32_t paired = -1, paired_bias = -1;  // activation(weight x) * (paired x)
  Activation activation = Activation::none;
  std::int32_t residual = -1;  // value added at the end
  std::uint32_t out = 0;
};
// Linears that read one value, normalised first when `norm_node` is set.
struct LinearPhase {
  std::uint32_t input = 0;
  std::int32_t norm_node = -1;
  std::vector<LinearPart> parts;
};
// Attention; ropes (indices into Program::ropes) turn q and k in place first.
struct AttentionPhase {
  std::uint32_t node = 0, q = 0, k = 0, v = 0;
  std::int32_t q_rope = -1, k_rope = -1;
};
// Any other node, or one that matched no pattern.
struct NodePhase {
  std::uint32_t node = 0;
  std::int32_t rope = -1;
};
using Phase = std::variant<LinearPhase, AttentionPhase, NodePhase>;

struct RopeUse {
  RopeParams params;
  std::int32_t factors = -1;  // weight
};

struct Program {
  std::vector<Phase> phases;
  std::vector<RopeUse> ropes;  // distinct ones: their angles are computed once a step
};

// `alike` tells whether two weights are stored in the same way, so that one kernel call can read both.
Program fuse(const Segment& segment, const std::function<bool(std::uint32_t, std::uint32_t)>& alike);

// Values that a phase reads and writes.
std::vector<std::uint32_t> values_read(const Graph& graph, const Phase& phase);
std::vector<std::uint32_t> values_written(const Graph& graph, const Phase& phase);

// none: no function of one value.
Activation activation_of(const ActivateParams& params);

}  // namespace pensieve::hal
