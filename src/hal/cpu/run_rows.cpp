// How nodes that no pattern took run: share by share of the rows.
#include <algorithm>

#include "hal/cpu/plan.h"

namespace pensieve::hal::cpu {

void CpuPlan::rope_row(std::int32_t rope, int row, float* x, int heads) const {
  const auto index = static_cast<std::size_t>(rope);
  const RopeParams& params = ropes_[index].params();
  const std::int64_t at = static_cast<std::int64_t>(row) * params.rotary_width;
  kernels_.rope(x, heads, static_cast<int>(params.head_width), static_cast<int>(params.rotary_width),
                params.pairing == RopeParams::Pairing::interleaved, cosines_[index] + at, sines_[index] + at);
}

void CpuPlan::run_node(const NodePhase& phase, int part) {
  const Node& node = graph_.nodes[phase.node];
  const Value& out = values_[node.output];
  const Range rows = share(row_count(out.rows), part);
  if (rows.begin == rows.end) return;
  const auto width = static_cast<std::int64_t>(out.width);
  const auto input = [&](std::size_t i) { return values_[node.inputs[i]].data + rows.begin * width; };
  float* to = out.data + rows.begin * width;
  const std::int64_t count = (rows.end - rows.begin) * width;
  switch (node.op()) {
    case Op::embed:
      for (int row = rows.begin; row < rows.end; ++row)
        weights_.row(node.weights[0], batch_.tokens[static_cast<std::size_t>(row)], out.data + row * width);
      break;
    case Op::norm: {
      const NormCall norm = norm_call(node);
      for (std::int64_t at = 0; at < count; at += width) kernels_.norm(norm, input(0) + at, to + at);
      break;
    }
    case Op::rope:
      std::copy_n(input(0), count, to);
      for (int row = rows.begin; row < rows.end; ++row) {
        const auto head_width = std::get<RopeParams>(node.params).head_width;
        const int from = out.rows == Rows::batch ? row : batch_.output_rows[static_cast<std::size_t>(row)];
        rope_row(phase.rope, from, out.data + row * width, static_cast<int>(width / head_width));
      }
      break;
    case Op::activate: {
      const float* gated = node.inputs.size() > 1 ? input(1) : nullptr;
      kernels_.activate(activation_of(std::get<ActivateParams>(node.params)), input(0), gated, to, count);
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
    case Op::linear:
    case Op::attention:
      break;  // always phases of their own
  }
}

}  // namespace pensieve::hal::cpu
