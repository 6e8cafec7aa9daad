// attention: keys and values go into their pages, come back decoded (so that what is kept is what is seen),
// and each row looks at its own sequence. Scores and sums in double precision, positions in rising order.
#include "core/ops/attention.h"

#include <algorithm>
#include <cmath>

#include "hal/reference/dot.h"
#include "hal/reference/ops.h"
#include "hal/reference/parallel.h"

namespace pensieve::hal::reference {
namespace {

std::int32_t first_visible(const AttentionParams& params, std::int32_t position) {
  const std::int64_t first = params.window > 0 ? std::int64_t{position} - params.window + 1 : 0;
  return static_cast<std::int32_t>(std::max<std::int64_t>(first, 0));
}

struct Sequence {
  std::size_t first_row = 0, end_row = 0;
  std::span<const std::int32_t> pages;
  std::int32_t first_position = 0, end_position = 0;  // visible to any of its rows
};

Sequence sequence_of(const AttentionParams& params, const AttentionState& state, std::size_t index) {
  const Batch& batch = *state.batch;
  const PageTable& table = batch.page_tables[state.group];
  Sequence sequence;
  sequence.first_row = static_cast<std::size_t>(batch.sequence_starts[index]);
  sequence.end_row = static_cast<std::size_t>(batch.sequence_starts[index + 1]);
  const auto first_page = static_cast<std::size_t>(table.starts[index]);
  sequence.pages =
      table.pages.subspan(first_page, static_cast<std::size_t>(table.starts[index + 1]) - first_page);
  if (sequence.first_row == sequence.end_row) return sequence;
  sequence.first_position = first_visible(params, batch.positions[sequence.first_row]);
  sequence.end_position = batch.positions[sequence.end_row - 1] + 1;
  return sequence;
}

Result<> write_rows(const AttentionState& state, const Sequence& sequence, InputRows k, InputRows v) {
  const std::int32_t page_tokens = state.pages->page_tokens();
  for (std::size_t r = sequence.first_row; r < sequence.end_row; ++r) {
    const std::int32_t position = state.batch->positions[r];
    const std::int32_t page = sequence.pages[static_cast<std::size_t>(position / page_tokens)];
    if (state.pages->make(page) == nullptr)
      return fail(Error::Code::exhausted, "no memory for another page of keys and values");
    state.pages->write(state.layer, page, position % page_tokens, k.row(r), v.row(r));
  }
  return {};
}

// Memory of one worker: decoded keys and values of one head, and the scores of one row.
struct Workspace {
  std::vector<float> keys, values;  // [visible positions, width]
  std::vector<double> weights, sum;
};

// `sink`: a score that takes its share and gives nothing; -infinity where there is none.
void attend(const AttentionParams& params, const float* query, std::size_t first, std::size_t end,
            double sink, Workspace& space, float* out) {
  const auto key_width = static_cast<std::size_t>(params.key_width);
  const auto value_width = static_cast<std::size_t>(params.value_width);
  double highest = sink;
  for (std::size_t p = first; p < end; ++p) {
    double score = static_cast<double>(dot(query, &space.keys[p * key_width], key_width)) *
                   static_cast<double>(params.scale);
    const auto cap = static_cast<double>(params.soft_cap);
    if (cap != 0.0) score = cap * std::tanh(score / cap);
    space.weights[p] = score;
    highest = std::max(highest, score);
  }
  double total = std::exp(sink - highest);
  std::fill_n(space.sum.begin(), value_width, 0.0);
  for (std::size_t p = first; p < end; ++p) {
    const double weight = std::exp(space.weights[p] - highest);
    total += weight;
    const float* value = &space.values[p * value_width];
    for (std::size_t i = 0; i < value_width; ++i) space.sum[i] += weight * static_cast<double>(value[i]);
  }
  for (std::size_t i = 0; i < value_width; ++i) out[i] = static_cast<float>(space.sum[i] / total);
}

// All rows of one sequence with all query heads that read key head `head`.
void attend_head(const AttentionParams& params, const AttentionState& state, const Sequence& sequence,
                 std::size_t head, std::span<const float> sinks, InputRows q, Workspace& space, float* out) {
  const auto key_width = static_cast<std::size_t>(params.key_width);
  const auto value_width = static_cast<std::size_t>(params.value_width);
  const std::int32_t page_tokens = state.pages->page_tokens();
  for (std::int32_t p = sequence.first_position; p < sequence.end_position; ++p) {
    const auto at = static_cast<std::size_t>(p - sequence.first_position);
    state.pages->read(state.layer, sequence.pages[static_cast<std::size_t>(p / page_tokens)], p % page_tokens,
                      head, &space.keys[at * key_width], &space.values[at * value_width]);
  }
  const auto sharing = static_cast<std::size_t>(params.heads / params.kv_heads);
  const auto out_width = static_cast<std::size_t>(params.heads) * value_width;
  for (std::size_t r = sequence.first_row; r < sequence.end_row; ++r) {
    const std::int32_t position = state.batch->positions[r];
    const auto first = static_cast<std::size_t>(first_visible(params, position) - sequence.first_position);
    const std::int32_t beyond = params.causal ? position + 1 : sequence.end_position;
    const auto end = static_cast<std::size_t>(beyond - sequence.first_position);
    for (std::size_t h = head * sharing; h < (head + 1) * sharing; ++h) {
      const double sink = sinks.empty() ? -INFINITY : static_cast<double>(sinks[h]);
      attend(params, q.row(r) + h * key_width, first, end, sink, space,
             out + r * out_width + h * value_width);
    }
  }
}

}  // namespace

Result<> attention(const AttentionParams& params, const AttentionState& state, std::span<const float> sinks,
                   InputRows q, InputRows k, InputRows v, float* out) {
  std::vector<Sequence> sequences;
  std::size_t longest = 0;
  double operations = 0;
  for (std::size_t s = 0; s + 1 < state.batch->sequence_starts.size(); ++s) {
    sequences.push_back(sequence_of(params, state, s));
    const Sequence& sequence = sequences.back();
    if (auto written = write_rows(state, sequence, k, v); !written) return written;
    const auto visible = static_cast<std::size_t>(sequence.end_position - sequence.first_position);
    longest = std::max(longest, visible);
    operations += static_cast<double>(visible * (sequence.end_row - sequence.first_row)) *
                  static_cast<double>(params.heads * (params.key_width + params.value_width));
  }
  const auto kv_heads = static_cast<std::size_t>(params.kv_heads);
  std::vector<Workspace> spaces(static_cast<std::size_t>(state.threads));
  for (Workspace& space : spaces) {
    space.keys.resize(longest * static_cast<std::size_t>(params.key_width));
    space.values.resize(longest * static_cast<std::size_t>(params.value_width));
    space.weights.resize(longest);
    space.sum.resize(static_cast<std::size_t>(params.value_width));
  }
  run_parallel(state.threads, sequences.size() * kv_heads, operations,
               [&](std::size_t worker, std::size_t item) {
                 attend_head(params, state, sequences[item / kv_heads], item % kv_heads, sinks, q,
                             spaces[worker], out);
               });
  return {};
}

}  // namespace pensieve::hal::reference
