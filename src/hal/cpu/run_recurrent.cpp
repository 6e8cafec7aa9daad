// How conv, scan and delta run: a sequence's rows one after another in order of position, so that no cut of a
// prompt changes a bit; sequences, heads and blocks of columns beside one another. States are kept with the
// columns innermost, so that the compiler finds vectors and no sum runs across one.
#include <algorithm>
#include <cmath>

#include "hal/cpu/plan.h"

namespace pensieve::hal::cpu {
namespace {

constexpr int kColumns = 64;  // of a unit of work

float softplus(float x) {
  return x > 20.0F ? x : std::log1p(std::exp(x));
}

int blocks_of(std::int64_t columns) {
  return static_cast<int>((columns + kColumns - 1) / kColumns);
}

// out = out * decay + factor * in, column by column.
void fade_and_add(float* kept, float decay, float factor, const float* in, int columns) {
  for (int i = 0; i < columns; ++i) kept[i] = kept[i] * decay + factor * in[i];
}

void add_scaled(float* sum, float factor, const float* in, int columns) {
  for (int i = 0; i < columns; ++i) sum[i] += factor * in[i];
}

}  // namespace

void CpuPlan::run_recurrent(const Node& node, int worker) {
  int units = 1;  // of each sequence
  if (node.op() == Op::conv) {
    units = blocks_of(values_[node.output].width);
  } else if (const auto* scan = std::get_if<ScanParams>(&node.params)) {
    units = static_cast<int>(scan->heads) * blocks_of(scan->head_width);
  } else {
    const auto& delta = std::get<DeltaParams>(node.params);
    units = static_cast<int>(delta.value_heads) * blocks_of(delta.value_width);
  }
  pool_->stage(worker, batch_.sequences() * units, [&](int index) {
    const auto s = static_cast<std::size_t>(index / units);
    const Range rows{batch_.sequence_starts[s], batch_.sequence_starts[s + 1]};
    if (rows.begin == rows.end) return;
    float* state = slots_.state(node.state, batch_.slots[s]);
    const bool fresh = batch_.positions[static_cast<std::size_t>(rows.begin)] == 0;
    if (node.op() == Op::conv) {
      run_conv(node, state, fresh, rows, index % units);
    } else if (node.op() == Op::scan) {
      run_scan(node, state, fresh, rows, index % units);
    } else {
      run_delta(node, state, fresh, rows, index % units);
    }
  });
}

// State: [taps - 1][columns], oldest first.
void CpuPlan::run_conv(const Node& node, float* state, bool fresh, Range rows, int block) const {
  const Value &x = values_[node.inputs[0]], &out = values_[node.output];
  const int taps = static_cast<int>(std::get<ConvParams>(node.params).taps), kept = taps - 1;
  const int first = block * kColumns, columns = std::min(kColumns, x.width - first);
  const float* weight = weights_.vector(static_cast<std::int32_t>(node.weights[0]));
  const float* bias =
      node.weights.size() > 1 ? weights_.vector(static_cast<std::int32_t>(node.weights[1])) : nullptr;
  const std::int64_t width = x.width;
  if (fresh) {
    for (int j = 0; j < kept; ++j) std::fill_n(state + j * width + first, columns, 0.0F);
  }
  // The inputs at `step` rows after the first; earlier ones are in the state.
  const auto input = [&](int step) {
    return (step >= 0 ? x.data + (rows.begin + step) * width : state + (kept + step) * width) + first;
  };
  const int count = rows.end - rows.begin;
  for (int step = 0; step < count; ++step) {
    float* to = out.data + (rows.begin + step) * width + first;
    for (int i = 0; i < columns; ++i) to[i] = bias != nullptr ? bias[first + i] : 0.0F;
    for (int j = 0; j < taps; ++j) {
      const float* from = input(step - kept + j);
      for (int i = 0; i < columns; ++i) to[i] += weight[(first + i) * taps + j] * from[i];
    }
  }
  for (int j = 0; j < kept; ++j) {
    const float* from = input(count - kept + j);
    float* to = state + j * width + first;
    if (from != to) std::copy_n(from, columns, to);
  }
}

// State: [heads][state_width][head_width].
void CpuPlan::run_scan(const Node& node, float* state, bool fresh, Range rows, int unit) const {
  const auto& params = std::get<ScanParams>(node.params);
  const int blocks = blocks_of(params.head_width), head = unit / blocks, first = unit % blocks * kColumns;
  const int width = static_cast<int>(params.head_width), states = static_cast<int>(params.state_width);
  const int columns = std::min(kColumns, width - first);
  const auto vector = [&](std::size_t i) {
    return weights_.vector(static_cast<std::int32_t>(node.weights[i]))[head];
  };
  const float rate = vector(0), step_bias = vector(1), skip = vector(2);
  state += static_cast<std::int64_t>(head) * states * width + first;
  if (fresh) {
    for (int n = 0; n < states; ++n) std::fill_n(state + n * width, columns, 0.0F);
  }
  const std::int64_t group = head / (params.heads / params.groups) * params.state_width;
  float scaled[kColumns];
  for (int row = rows.begin; row < rows.end; ++row) {
    const auto at = [&](std::size_t input) {
      const Value& value = values_[node.inputs[input]];
      return value.data + static_cast<std::int64_t>(row) * value.width;
    };
    const float* x = at(0) + head * width + first;
    const float *in = at(1) + group, *read = at(2) + group;
    const float step = std::clamp(softplus(at(3)[head] + step_bias), params.step_low, params.step_high);
    const float decay = std::exp(step * rate);
    const Value& result = values_[node.output];
    float* out = result.data + static_cast<std::int64_t>(row) * result.width + head * width + first;
    for (int i = 0; i < columns; ++i) {
      scaled[i] = step * x[i];
      out[i] = skip * x[i];
    }
    for (int n = 0; n < states; ++n) {
      fade_and_add(state + n * width, decay, in[n], scaled, columns);
      add_scaled(out, read[n], state + n * width, columns);
    }
  }
}

// State: [value_heads][key_width][value_width].
void CpuPlan::run_delta(const Node& node, float* state, bool fresh, Range rows, int unit) const {
  const auto& params = std::get<DeltaParams>(node.params);
  const int blocks = blocks_of(params.value_width), head = unit / blocks, first = unit % blocks * kColumns;
  const int width = static_cast<int>(params.value_width), keys = static_cast<int>(params.key_width);
  const int columns = std::min(kColumns, width - first);
  const float rate = weights_.vector(static_cast<std::int32_t>(node.weights[0]))[head];
  const float step_bias = weights_.vector(static_cast<std::int32_t>(node.weights[1]))[head];
  const std::int64_t key_at = params.key_head_of(head) * params.key_width;
  state += static_cast<std::int64_t>(head) * keys * width + first;
  if (fresh) {
    for (int n = 0; n < keys; ++n) std::fill_n(state + n * width, columns, 0.0F);
  }
  float known[kColumns], change[kColumns];
  for (int row = rows.begin; row < rows.end; ++row) {
    const auto at = [&](std::size_t input) {
      const Value& value = values_[node.inputs[input]];
      return value.data + static_cast<std::int64_t>(row) * value.width;
    };
    const float *q = at(0) + key_at, *k = at(1) + key_at, *v = at(2) + head * width + first;
    const float decay = std::exp(rate * softplus(at(3)[head] + step_bias));
    const float strength = 1.0F / (1.0F + std::exp(-at(4)[head]));
    const Value& result = values_[node.output];
    float* out = result.data + static_cast<std::int64_t>(row) * result.width + head * width + first;
    std::fill_n(known, columns, 0.0F);
    for (int n = 0; n < keys; ++n) add_scaled(known, decay * k[n], state + n * width, columns);
    for (int i = 0; i < columns; ++i) change[i] = strength * (v[i] - known[i]);
    std::fill_n(out, columns, 0.0F);
    for (int n = 0; n < keys; ++n) {
      fade_and_add(state + n * width, decay, k[n], change, columns);
      add_scaled(out, q[n], state + n * width, columns);
    }
  }
}

}  // namespace pensieve::hal::cpu
