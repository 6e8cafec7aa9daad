// How stacks of matrices run: the experts of a layer, each over the rows that chose it, and linears with a
// matrix for each block of columns. The work is laid out as runs of lines, one run for each matrix, and
// shared out by groups of outputs; every row is computed as in a plain linear, so its result does not depend
// on who else chose the expert.
#include <algorithm>

#include "hal/cpu/plan.h"

namespace pensieve::hal::cpu {
namespace {

constexpr int kPiecesPerWorker = 4;

// The run that line `line` of all runs together is in.
int run_of(const int* starts, int runs, int line) {
  return static_cast<int>(std::upper_bound(starts, starts + runs + 1, line) - starts) - 1;
}

}  // namespace

CpuPlan::LinearNeeds CpuPlan::needs_of(const Matrix& matrix) {
  return {.quantized = matrix.quantized_panel,
          .floats = !matrix.quantized_panel,
          .groups = matrix.shape.groups,
          .blocks = matrix.shape.blocks};
}

// The part of a panel that holds a run's lines.
CpuPlan::Panels CpuPlan::panels_at(const Panels& panels, const LinearNeeds& needs, int line) {
  const std::int64_t at = static_cast<std::int64_t>(line) * needs.blocks;
  return {panels.quantized != nullptr ? panels.quantized + at : nullptr,
          panels.floats != nullptr ? panels.floats + at : nullptr};
}

CpuPlan::Range CpuPlan::cut(int count, int piece) const {
  const int pieces = pool_->workers() * kPiecesPerWorker;
  const auto at = [&](int index) { return static_cast<int>(std::int64_t{count} * index / pieces); };
  return {at(piece), at(piece + 1)};
}

// One stage: take(piece) for each of as many pieces as `cut` makes.
template <class Take>
void CpuPlan::cut_stage(int worker, Take take) {
  pool_->stage(worker, pool_->workers() * kPiecesPerWorker, take);
}

// Calls each(expert, groups) for this piece of the groups of all experts that have rows.
template <class Each>
void CpuPlan::cut_experts(int experts, int groups, int piece, Each each) const {
  const int* starts = stacks_.starts;
  int busy = 0;
  for (int expert = 0; expert < experts; ++expert) busy += starts[expert + 1] > starts[expert] ? 1 : 0;
  const Range all = cut(busy * groups, piece);
  int first = 0;
  for (int expert = 0; expert < experts; ++expert) {
    if (starts[expert + 1] == starts[expert]) continue;
    const Range own{std::max(all.begin - first, 0), std::min(all.end - first, groups)};
    if (own.begin < own.end) each(expert, own);
    first += groups;
  }
}

// Lists for each expert the rows that chose it: pairs of row and expert, in order of expert and then of row.
void CpuPlan::list_pairs(const Node& node) {
  const auto& params = std::get<ExpertsParams>(node.params);
  const Value& chosen = values_[node.inputs[1]];
  const int rows = row_count(chosen.rows), used = static_cast<int>(params.used);
  std::fill_n(stacks_.starts, chosen.width + 1, 0);
  std::fill_n(stacks_.row_pairs, static_cast<std::int64_t>(rows) * used, -1);
  // At most `used` of a row count: weights that are no numbers must not write beyond what was reserved.
  const auto each_pair = [&](auto take) {
    for (int row = 0; row < rows; ++row) {
      const float* weights = chosen.data + static_cast<std::int64_t>(row) * chosen.width;
      for (int expert = 0, found = 0; expert < chosen.width && found < used; ++expert) {
        if (weights[expert] != 0.0F) take(row, expert, found++);
      }
    }
  };
  each_pair([&](int, int expert, int) { ++stacks_.starts[expert + 1]; });
  for (int expert = 0; expert < chosen.width; ++expert) {
    stacks_.starts[expert + 1] += stacks_.starts[expert];
    stacks_.next[expert] = stacks_.starts[expert];
  }
  each_pair([&](int row, int expert, int found) {
    const int pair = stacks_.next[expert]++;
    stacks_.pair_row[pair] = row;
    stacks_.row_pairs[static_cast<std::int64_t>(row) * used + found] = pair;
  });
}

// A piece of the pairs' inputs, into panels.
void CpuPlan::fill_pairs(PairRows rows, int width, const LinearNeeds& needs, int experts, int piece) {
  const Range own = cut(stacks_.starts[experts], piece);
  for (int pair = own.begin; pair < own.end; ++pair) {
    const int expert = run_of(stacks_.starts, experts, pair), start = stacks_.starts[expert];
    Panels panels = stacks_.panels;
    panels.quantized += static_cast<std::int64_t>(start) * (width / 32);
    panels.floats += static_cast<std::int64_t>(start) * ((width + 15) / 16);
    const std::int64_t row = rows.by_pair ? pair : stacks_.pair_row[pair];
    put_line(rows.data + row * width, width, needs, pair - start, stacks_.starts[expert + 1] - start, panels);
  }
}

void CpuPlan::run_experts(const Node& node, int worker) {
  const Value &x = values_[node.inputs[0]], &chosen = values_[node.inputs[1]];
  if (row_count(x.rows) == 0) return;
  const int experts = chosen.width;
  const Matrix& gate = weights_.matrix(node.weights[0]);
  const Matrix& up = weights_.matrix(node.weights[1]);
  const Matrix& down = weights_.matrix(node.weights[2]);
  const LinearNeeds needs{.quantized = gate.quantized_panel || up.quantized_panel,
                          .floats = !gate.quantized_panel || !up.quantized_panel};
  float* decoded = scratch_[static_cast<std::size_t>(worker)].group;
  pool_->stage(worker, 1, [&](int) { list_pairs(node); });
  cut_stage(worker, [&](int piece) { fill_pairs({x.data, false}, x.width, needs, experts, piece); });
  cut_stage(worker, [&](int piece) {
    cut_experts(experts, gate.shape.groups, piece,
                [&](int expert, Range groups) { run_gate_and_up(node, expert, groups, decoded); });
  });
  cut_stage(worker, [&](int piece) {
    fill_pairs({stacks_.hidden, true}, gate.outputs, needs_of(down), experts, piece);
  });
  cut_stage(worker, [&](int piece) {
    cut_experts(experts, down.shape.groups, piece, [&](int expert, Range groups) {
      run_stacked(node, 2, expert, groups, {stacks_.results, down.outputs}, decoded);
    });
  });
  cut_stage(worker, [&](int piece) {
    const Range rows = cut(row_count(x.rows), piece);
    for (int row = rows.begin; row < rows.end; ++row) sum_pairs(node, row);
  });
}

// Matrix `weight` of an expert over its lines, into the same lines of `out`.
void CpuPlan::run_stacked(const Node& node, std::size_t weight, int expert, Range groups, StackOut out,
                          float* decoded) const {
  const Matrix& matrix = weights_.matrix(node.weights[weight], static_cast<std::size_t>(expert));
  const int start = stacks_.starts[expert];
  const Panels panels = panels_at(stacks_.panels, needs_of(matrix), start);
  LinearCall call{};
  call.panel = matrix.quantized_panel ? static_cast<const void*>(panels.quantized) : panels.floats;
  call.rows = stacks_.starts[expert + 1] - start;
  if (node.weights.size() > 3) {
    const auto bias = static_cast<std::int32_t>(node.weights[weight + 3]);
    call.bias = weights_.vector(bias) + static_cast<std::int64_t>(expert) * matrix.outputs;
  }
  call.out_stride = out.width;
  call.out = out.data + static_cast<std::int64_t>(start) * out.width;
  multiply(matrix, nullptr, call, groups, decoded);
}

void CpuPlan::run_gate_and_up(const Node& node, int expert, Range groups, float* decoded) const {
  const auto& params = std::get<ExpertsParams>(node.params);
  const int inner = weights_.matrix(node.weights[0]).outputs;
  run_stacked(node, 0, expert, groups, {stacks_.hidden, inner}, decoded);
  run_stacked(node, 1, expert, groups, {stacks_.results, inner}, decoded);
  const int first = groups.begin * kernels_.lanes, end = std::min(groups.end * kernels_.lanes, inner);
  for (int pair = stacks_.starts[expert]; pair < stacks_.starts[expert + 1]; ++pair) {
    float* gate = stacks_.hidden + static_cast<std::int64_t>(pair) * inner + first;
    const float* up = stacks_.results + static_cast<std::int64_t>(pair) * inner + first;
    run_gate(params.activation, gate, end - first, up, end - first, gate);
  }
}

// A row's experts, weighted, in order of expert.
void CpuPlan::sum_pairs(const Node& node, int row) {
  const int used = static_cast<int>(std::get<ExpertsParams>(node.params).used);
  const Value &chosen = values_[node.inputs[1]], &out = values_[node.output];
  const float* weights = chosen.data + static_cast<std::int64_t>(row) * chosen.width;
  float* to = out.data + static_cast<std::int64_t>(row) * out.width;
  std::fill_n(to, out.width, 0.0F);
  for (int i = 0; i < used; ++i) {
    const int pair = stacks_.row_pairs[static_cast<std::int64_t>(row) * used + i];
    if (pair < 0) break;
    const float weight = weights[run_of(stacks_.starts, chosen.width, pair)];
    const float* result = stacks_.results + static_cast<std::int64_t>(pair) * out.width;
    for (int c = 0; c < out.width; ++c) to[c] += weight * result[c];
  }
}

void CpuPlan::run_blocks(const Node& node, int worker) {
  const Value& in = values_[node.inputs[0]];
  const auto blocks = static_cast<int>(std::get<LinearParams>(node.params).blocks);
  const int rows = row_count(in.rows), width = in.width / blocks;
  if (rows == 0) return;
  const LinearNeeds needs = needs_of(weights_.matrix(node.weights[0]));
  cut_stage(worker, [&](int piece) {
    const Range own = cut(rows * blocks, piece);
    for (int line = own.begin; line < own.end; ++line) {
      const int block = line / rows, row = line % rows;
      const float* x = in.data + static_cast<std::int64_t>(row) * in.width + block * width;
      put_line(x, width, needs, row, rows, panels_at(stacks_.panels, needs, block * rows));
    }
  });
  float* decoded = scratch_[static_cast<std::size_t>(worker)].group;
  cut_stage(worker, [&](int piece) { multiply_blocks(node, cut(blocks * needs.groups, piece), decoded); });
}

// `groups` counts through the blocks.
void CpuPlan::multiply_blocks(const Node& node, Range groups, float* decoded) const {
  const Value &in = values_[node.inputs[0]], &out = values_[node.output];
  const LinearNeeds needs = needs_of(weights_.matrix(node.weights[0]));
  const int rows = row_count(in.rows);
  for (int at = groups.begin; at < groups.end;) {
    const int block = at / needs.groups, first = at % needs.groups;
    const int end = std::min(needs.groups, first + groups.end - at);
    const Matrix& matrix = weights_.matrix(node.weights[0], static_cast<std::size_t>(block));
    const Panels panels = panels_at(stacks_.panels, needs, block * rows);
    LinearCall call{};
    call.panel = needs.quantized ? static_cast<const void*>(panels.quantized) : panels.floats;
    call.rows = rows;
    call.out_stride = out.width;
    call.out = out.data + block * matrix.outputs;
    multiply(matrix, nullptr, call, {first, end}, decoded);
    at += end - first;
  }
}

}  // namespace pensieve::hal::cpu
