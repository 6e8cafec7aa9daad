// How a linear phase runs: rows become a panel (normalised, quantized once for all linears that read it),
// then the groups of outputs are shared out. Few rows: every worker makes the panel for itself, which is
// cheaper than a stage of its own.
#include <algorithm>

#include "hal/cpu/plan.h"

namespace pensieve::hal::cpu {
namespace {

constexpr std::size_t kPanelBytes = std::size_t{256}
                                    << 10;  // of a panel that stays in a core's second-level cache
constexpr int kTasksPerWorker = 6;
constexpr int kPiecesPerWorker = 4;  // what others can take over from a worker that does not run

}  // namespace

PanelRow locate(int row, int rows, int max_tile) {
  int first = row / max_tile * max_tile;
  if (first + max_tile <= rows) return {first, max_tile};
  for (int tile = max_tile;; first += tile) {
    while (tile > rows - first) tile /= 2;
    if (row < first + tile) return {first, tile};
  }
}

CpuPlan::Range CpuPlan::share(int count, int part) const {
  const auto at = [&](int index) { return static_cast<int>(std::int64_t{count} * index / pool_->workers()); };
  return {at(part), at(part + 1)};
}

NormCall CpuPlan::norm_call(const Node& node) const {
  const auto& params = std::get<NormParams>(node.params);
  const auto weight = [&](std::size_t i) {
    return i < node.weights.size() ? static_cast<std::int32_t>(node.weights[i]) : -1;
  };
  return {.layer = params.kind == NormParams::Kind::layer,
          .epsilon = params.epsilon,
          .width = static_cast<int>(graph_.values[node.output].width),
          .group_width = static_cast<int>(params.group_width),
          .weight = weights_.vector(weight(0)),
          .bias = weights_.vector(weight(1))};
}

void CpuPlan::fill_panels(const LinearPhase& phase, const LinearNeeds& needs, Range rows, int row_count,
                          const Panels& panels, float* normalised) const {
  const Value& input = values_[phase.input];
  NormCall norm{};
  if (phase.norm_node >= 0) norm = norm_call(graph_.nodes[static_cast<std::size_t>(phase.norm_node)]);
  for (int row = rows.begin; row < rows.end; ++row) {
    const float* x = input.data + static_cast<std::int64_t>(row) * input.width;
    if (phase.norm_node >= 0) {
      kernels_.norm(norm, x, normalised);
      x = normalised;
    }
    put_line(x, input.width, needs, row, row_count, panels);
  }
}

// One row into the panels of `row_count` rows.
void CpuPlan::put_line(const float* x, int width, const LinearNeeds& needs, int row, int row_count,
                       const Panels& panels) const {
  const PanelRow at = locate(row, row_count, kernels_.max_tile);
  const auto place = [&](int blocks) {
    return static_cast<std::int64_t>(at.tile_first) * blocks + (row - at.tile_first);
  };
  if (needs.quantized) kernels_.quantize(x, width, panels.quantized + place(width / 32), at.tile_rows);
  if (needs.floats) kernels_.copy_lines(x, width, panels.floats + place((width + 15) / 16), at.tile_rows);
}

void CpuPlan::run_linear(const LinearPhase& phase, const LinearNeeds& needs, int worker) {
  const int rows = row_count(values_[phase.input].rows);
  if (rows == 0) return;
  Scratch& scratch = scratch_[static_cast<std::size_t>(worker)];
  const bool local = rows <= kLocalRows;
  const Panels& panels = local ? scratch.panels : shared_panels_;
  if (!local) {
    pool_->stage(worker, pool_->workers(),
                 [&](int part) { fill_panels(phase, needs, share(rows, part), rows, panels, scratch.row); });
  }
  if (rows <= kFewRows) {
    bool filled = !local;  // its own panel is made by whoever takes a piece: until then the input stays
    const int pieces = std::min(needs.groups, pool_->workers() * kPiecesPerWorker);
    pool_->stage(worker, pieces, [&](int piece) {
      if (!filled) fill_panels(phase, needs, {0, rows}, rows, panels, scratch.row);
      filled = true;
      const auto at = [&](int index) {
        return static_cast<int>(std::int64_t{needs.groups} * index / pieces);
      };
      run_groups(phase, {at(piece), at(piece + 1)}, {0, rows}, panels, scratch.group);
    });
    return;
  }
  // A task is a run of groups for a run of rows whose panel fits the cache.
  const auto line_bytes = static_cast<std::size_t>(needs.blocks) * sizeof(FloatLine);
  const int fitting = static_cast<int>(kPanelBytes / line_bytes) / kernels_.max_tile * kernels_.max_tile;
  const int rows_at_once = std::max(fitting, 2 * kernels_.max_tile);
  const int row_runs = (rows + rows_at_once - 1) / rows_at_once;
  const int wanted = std::max(1, pool_->workers() * kTasksPerWorker / row_runs);
  const int groups_at_once = std::max(1, needs.groups / wanted);
  const int group_runs = (needs.groups + groups_at_once - 1) / groups_at_once;
  pool_->stage(worker, row_runs * group_runs, [&](int task) {
    const int row = task / group_runs * rows_at_once, group = task % group_runs * groups_at_once;
    run_groups(phase, {group, std::min(group + groups_at_once, needs.groups)},
               {row, std::min(row + rows_at_once, rows)}, panels, scratch.group);
  });
}

// `groups` counts through all parts of the phase.
void CpuPlan::run_groups(const LinearPhase& phase, Range groups, Range rows, const Panels& panels,
                         float* decoded) const {
  int first = 0;
  for (const LinearPart& part : phase.parts) {
    const int count = weights_.matrix(part.weight).shape.groups;
    const Range own{std::max(groups.begin - first, 0), std::min(groups.end - first, count)};
    if (own.begin < own.end) call_linear(part, own, rows, panels, decoded);
    first += count;
  }
}

void CpuPlan::call_linear(const LinearPart& part, Range groups, Range rows, const Panels& panels,
                          float* decoded) const {
  const Matrix& matrix = weights_.matrix(part.weight);
  const Value& out = values_[part.out];
  LinearCall call{};
  const std::int64_t line = static_cast<std::int64_t>(rows.begin) * matrix.shape.blocks;
  call.panel =
      matrix.quantized_panel ? static_cast<const void*>(panels.quantized + line) : panels.floats + line;
  call.rows = rows.end - rows.begin;
  call.bias = weights_.vector(part.bias);
  call.paired_bias = weights_.vector(part.paired_bias);
  call.out_stride = out.width;
  call.out = out.data + static_cast<std::int64_t>(rows.begin) * out.width;
  if (part.residual >= 0) {
    const Value& residual = values_[static_cast<std::size_t>(part.residual)];
    call.residual_stride = residual.width;
    call.residual = residual.data + static_cast<std::int64_t>(rows.begin) * residual.width;
  }
  call.activation = part.activation;
  const Matrix* paired =
      part.paired >= 0 ? &weights_.matrix(static_cast<std::uint32_t>(part.paired)) : nullptr;
  multiply(matrix, paired, call, groups, decoded);
}

// Fills in what the matrices say and runs the groups.
void CpuPlan::multiply(const Matrix& matrix, const Matrix* paired, LinearCall call, Range groups,
                       float* decoded) const {
  call.weight = matrix.packed;
  if (paired != nullptr) call.paired = paired->packed;
  call.group_bytes = matrix.shape.group_bytes;
  call.outputs = matrix.outputs;
  call.blocks = matrix.shape.blocks;
  call.group_begin = groups.begin;
  call.group_end = groups.end;
  if (matrix.packed == nullptr) return multiply_decoded(matrix, paired, call, groups, decoded);
  kernels_.linear[static_cast<int>(matrix.shape.kind)](call);
}

// Matrices in a codec that no kernel reads: each group becomes f32 columns just before it is used.
void CpuPlan::multiply_decoded(const Matrix& matrix, const Matrix* paired, LinearCall call, Range groups,
                               float* decoded) const {
  const int lanes = kernels_.lanes;
  const auto columns = static_cast<std::size_t>(matrix.inputs);
  const std::size_t group_floats = matrix.shape.group_bytes / sizeof(float);
  float* row = decoded + 2 * group_floats;
  const auto decode = [&](const Matrix& from, int group, float* out) {
    std::fill_n(out, group_floats, 0.0F);
    for (int lane = 0; lane < lanes && group * lanes + lane < from.outputs; ++lane) {
      from.read_row(group * lanes + lane, row);
      for (std::size_t k = 0; k < columns; ++k)
        out[k * static_cast<std::size_t>(lanes) + static_cast<std::size_t>(lane)] = row[k];
    }
  };
  const LinearCall whole = call;
  for (int group = groups.begin; group < groups.end; ++group) {
    const int first = group * lanes;
    decode(matrix, group, decoded);
    call.weight = reinterpret_cast<const std::uint8_t*>(decoded);
    if (paired != nullptr) {
      decode(*paired, group, decoded + group_floats);
      call.paired = reinterpret_cast<const std::uint8_t*>(decoded + group_floats);
    }
    const auto from = [&](const float* p) { return p != nullptr ? p + first : nullptr; };
    call.bias = from(whole.bias);
    call.paired_bias = from(whole.paired_bias);
    call.residual = from(whole.residual);
    call.out = whole.out + first;
    call.outputs = std::min(lanes, matrix.outputs - first);
    call.group_begin = 0;
    call.group_end = 1;
    kernels_.linear[static_cast<int>(WeightKind::f32)](call);
  }
}

}  // namespace pensieve::hal::cpu
