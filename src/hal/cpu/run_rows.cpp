// How nodes that no pattern took run: share by share of the rows.
#include <algorithm>
#include <cmath>

#include "hal/cpu/plan.h"
#include "hal/cpu/route.h"

namespace pensieve::hal::cpu {

void CpuPlan::rope_row(std::int32_t rope, int row, float* x, int heads) const {
  const auto index = static_cast<std::size_t>(rope);
  const RopeParams& params = ropes_[index].params();
  const std::int64_t at = static_cast<std::int64_t>(row) * params.rotary_width;
  kernels_.rope(x + params.first_column, heads, static_cast<int>(params.head_width),
                static_cast<int>(params.rotary_width), params.pairing == RopeParams::Pairing::interleaved,
                cosines_[index] + at, sines_[index] + at);
}

int CpuPlan::table_row(const EmbedParams& params, std::size_t row) const {
  if (params.index == EmbedParams::Index::token) return batch_.tokens[row];
  if (params.index == EmbedParams::Index::position) return batch_.positions[row];
  return batch_.segments.empty() ? 0 : batch_.segments[row];
}

// Groups with a weight of their own are normalised one by one.
void CpuPlan::run_norm(const Node& node, const float* x, float* out) const {
  NormCall norm = norm_call(node);
  const bool own = !node.weights.empty() && graph_.weights[node.weights[0]].shape[0] != norm.group_width;
  if (!own) return kernels_.norm(norm, x, out);
  const int width = norm.width;
  norm.width = norm.group_width;
  for (int at = 0; at < width; at += norm.group_width) {
    kernels_.norm(norm, x + at, out + at);
    norm.weight += norm.group_width;
    if (norm.bias != nullptr) norm.bias += norm.group_width;
  }
}

// One row; `gates` columns gate `width`.
void CpuPlan::run_gate(const ActivateParams& params, const float* a, int gates, const float* b, int width,
                       float* out) const {
  const Activation activation = activation_of(params);
  if (params.kind == ActivateParams::Kind::silu_clamped) {
    const int sharing = width / gates;
    for (int i = 0; i < width; ++i) {
      const float x = std::min(a[i / sharing], params.limit);
      const float up = std::clamp(b[i], -params.limit, params.limit) + 1.0F;
      out[i] = x / (1.0F + std::exp(-1.702F * x)) * up;
    }
  } else if (gates == width) {
    kernels_.activate(activation, a, b, out, width);
  } else {
    const int sharing = width / gates;
    for (int gate = 0; gate < gates; ++gate) {
      float factor = 0.0F;
      kernels_.activate(activation, a + gate, nullptr, &factor, 1);
      kernels_.scale(b + gate * sharing, factor, out + gate * sharing, sharing);
    }
  }
}

void CpuPlan::run_join(const JoinParams& params, const Value& a, const Value& b, int row, float* out) {
  const auto part = [&](const Value& in, std::int64_t group, std::int64_t width) {
    return in.data + static_cast<std::int64_t>(row) * in.width + (in.width == width ? 0 : group * width);
  };
  for (std::int64_t group = 0; group < params.groups; ++group) {
    out = std::copy_n(part(a, group, params.a_width), params.a_width, out);
    out = std::copy_n(part(b, group, params.b_width), params.b_width, out);
  }
}

void CpuPlan::run_node(const NodePhase& phase, int part, float* space) {
  const Node& node = graph_.nodes[phase.node];
  const Value& out = values_[node.output];
  const Range rows = share(row_count(out.rows), part);
  if (rows.begin == rows.end) return;
  const auto width = static_cast<std::int64_t>(out.width);
  const auto input = [&](std::size_t i) {
    const Value& in = values_[node.inputs[i]];
    return in.data + static_cast<std::int64_t>(rows.begin) * in.width;
  };
  float* to = out.data + rows.begin * width;
  const std::int64_t count = (rows.end - rows.begin) * width;
  switch (node.op()) {
    case Op::embed: {
      const auto& params = std::get<EmbedParams>(node.params);
      for (int row = rows.begin; row < rows.end; ++row)
        weights_.matrix(node.weights[0])
            .read_row(table_row(params, static_cast<std::size_t>(row)), out.data + row * width);
      break;
    }
    case Op::norm:
      for (std::int64_t at = 0; at < count; at += width) run_norm(node, input(0) + at, to + at);
      break;
    case Op::rope:
      std::copy_n(input(0), count, to);
      for (int row = rows.begin; row < rows.end; ++row) {
        const auto head_width = std::get<RopeParams>(node.params).head_width;
        const int from = out.rows == Rows::batch ? row : batch_.output_rows[static_cast<std::size_t>(row)];
        rope_row(phase.rope, from, out.data + row * width, static_cast<int>(width / head_width));
      }
      break;
    case Op::activate: {
      const auto& params = std::get<ActivateParams>(node.params);
      if (node.inputs.size() == 1) {
        kernels_.activate(activation_of(params), input(0), nullptr, to, count);
        break;
      }
      const int gates = values_[node.inputs[0]].width;
      for (int row = 0; row < rows.end - rows.begin; ++row)
        run_gate(params, input(0) + static_cast<std::int64_t>(row) * gates, gates, input(1) + row * width,
                 out.width, to + row * width);
      break;
    }
    case Op::add:
      kernels_.add(input(0), input(1), to, count);
      break;
    case Op::scale:
      kernels_.scale(input(0), std::get<ScaleParams>(node.params).factor, to, count);
      break;
    case Op::select_rows:
      for (int row = rows.begin; row < rows.end; ++row) {
        const std::int64_t from = batch_.output_rows[static_cast<std::size_t>(row)];
        std::copy_n(values_[node.inputs[0]].data + from * width, width, out.data + row * width);
      }
      break;
    case Op::route: {
      const float* bias =
          node.weights.empty() ? nullptr : weights_.vector(static_cast<std::int32_t>(node.weights[0]));
      for (std::int64_t at = 0; at < count; at += width)
        choose_experts(std::get<RouteParams>(node.params), bias,
                       {input(0) + at, static_cast<std::size_t>(width)}, space, to + at);
      break;
    }
    case Op::slice: {
      const auto& params = std::get<SliceParams>(node.params);
      const float* from = input(0) + params.first;
      for (std::int64_t at = 0; at < count; at += params.width, from += params.group_width)
        std::copy_n(from, params.width, to + at);
      break;
    }
    case Op::join:
      for (int row = rows.begin; row < rows.end; ++row)
        run_join(std::get<JoinParams>(node.params), values_[node.inputs[0]], values_[node.inputs[1]], row,
                 out.data + row * width);
      break;
    case Op::linear:
    case Op::attention:
    case Op::experts:
      break;  // have stages of their own
  }
}

}  // namespace pensieve::hal::cpu
