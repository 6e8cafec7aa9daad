// How an attention phase runs. The work is cut into units that any worker may take: for few query vectors one
// split of kSplitTokens positions each (the worker that finishes the last one merges them in order), for many
// a block of vectors that walks over all splits. Splits are counted from position 0 and merged in order
// either way, so results do not depend on it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "hal/cpu/plan.h"

namespace pensieve::hal::cpu {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

int smallest_tile(int vectors) {
  int tile = 1;
  while (tile < vectors) tile *= 2;
  return tile;
}

}  // namespace

void CpuPlan::run_attention(const AttentionPhase& phase, int worker) {
  const auto& params = std::get<AttentionParams>(graph_.nodes[phase.node].params);
  // With one row for each sequence the unit that sees a key head's newest split turns and stores the new
  // token itself.
  const bool fused = one_row_each_ && params.heads / params.kv_heads <= kBlockVectors;
  if (!fused) pool_->stage(worker, pool_->workers(), [&](int part) { turn_and_store_rows(phase, part); });
  Scratch& scratch = scratch_[static_cast<std::size_t>(worker)];
  pool_->stage(worker, count_units(params), [&](int index) {
    Unit unit;
    find_unit(params, index, unit);
    run_unit(phase, unit, fused, scratch);
  });
}

int CpuPlan::count_units(const AttentionParams& params) const {
  int left = std::numeric_limits<int>::max();
  Unit none;
  find_unit(params, left, none);
  return std::numeric_limits<int>::max() - left;
}

bool CpuPlan::find_unit(const AttentionParams& params, int& index, Unit& unit) const {
  const int kv_heads = static_cast<int>(params.kv_heads),
            group = static_cast<int>(params.heads / params.kv_heads);
  int slot = 0;
  for (int sequence = 0; sequence < batch_.sequences(); ++sequence) {
    const auto s = static_cast<std::size_t>(sequence);
    const int rows = batch_.sequence_starts[s + 1] - batch_.sequence_starts[s];
    if (rows == 0) continue;
    const int start = batch_.positions[static_cast<std::size_t>(batch_.sequence_starts[s])];
    const std::int64_t low = params.window > 0 ? std::max<std::int64_t>(start - params.window + 1, 0) : 0;
    const int first_split = static_cast<int>(low / kSplitTokens),
              splits = (start + rows - 1) / kSplitTokens + 1 - first_split;
    const int vectors = rows * group;
    const bool by_split = vectors <= kAttendTile && slot + kv_heads * splits <= kPartialSlots;
    const int of_head = by_split ? splits : (vectors + kBlockVectors - 1) / kBlockVectors;
    if (index < kv_heads * of_head) {
      unit = {
          .sequence = sequence, .head = index / of_head, .all_splits = splits, .first_of_all = first_split};
      const int part = index % of_head;
      if (by_split) {
        unit.vectors = vectors;
        unit.first_split = first_split + part;
        unit.end_split = unit.first_split + 1;
        if (splits > 1) unit.slot = slot + unit.head * splits;
      } else {
        unit.first_vector =
            (of_head - 1 - part) * kBlockVectors;  // later rows see more: the longest units first
        unit.vectors = std::min(vectors - unit.first_vector, kBlockVectors);
        unit.first_split = first_split;
        unit.end_split = first_split + splits;
      }
      return true;
    }
    index -= kv_heads * of_head;
    if (by_split && splits > 1) slot += kv_heads * splits;
  }
  return false;
}

void CpuPlan::store_token(const AttentionPhase& phase, int sequence, int head, int position, const float* key,
                          const float* value) {
  const std::int32_t state = graph_.nodes[phase.node].state;
  const PageTable& table = batch_.page_tables[graph_.states[static_cast<std::size_t>(state)].group];
  const std::int32_t page = table.pages[static_cast<std::size_t>(
      table.starts[static_cast<std::size_t>(sequence)] + position / options_.page_tokens)];
  const int slot = position % options_.page_tokens, kind = static_cast<int>(kv_.kind());
  kernels_.store_key[kind](kv_.layout(state), key, kv_.keys(state, page, head), slot);
  kernels_.store_value[kind](kv_.layout(state), value, kv_.values(state, page, head), slot);
}

void CpuPlan::turn_and_store_rows(const AttentionPhase& phase, int part) {
  const auto& params = std::get<AttentionParams>(graph_.nodes[phase.node].params);
  const int heads = static_cast<int>(params.heads), kv_heads = static_cast<int>(params.kv_heads);
  const Range rows = share(rows_, part);
  for (int row = rows.begin; row < rows.end; ++row) {
    float* q = values_[phase.q].data + static_cast<std::int64_t>(row) * values_[phase.q].width;
    float* k = values_[phase.k].data + static_cast<std::int64_t>(row) * values_[phase.k].width;
    const float* v = values_[phase.v].data + static_cast<std::int64_t>(row) * values_[phase.v].width;
    if (phase.q_rope >= 0) rope_row(phase.q_rope, row, q, heads);
    if (phase.k_rope >= 0) rope_row(phase.k_rope, row, k, kv_heads);
    for (int head = 0; head < kv_heads; ++head)
      store_token(phase, row_sequence_[static_cast<std::size_t>(row)], head,
                  batch_.positions[static_cast<std::size_t>(row)], k + head * params.key_width,
                  v + head * params.value_width);
  }
}

// The one row's queries of the unit's key head, turned; also turns and stores the new token where the unit
// sees it.
const float* CpuPlan::fused_queries(const AttentionPhase& phase, const Unit& unit, Scratch& scratch) {
  const auto& params = std::get<AttentionParams>(graph_.nodes[phase.node].params);
  const int row = batch_.sequence_starts[static_cast<std::size_t>(unit.sequence)];
  const int position = batch_.positions[static_cast<std::size_t>(row)];
  const std::int64_t group = params.heads / params.kv_heads, width = params.key_width;
  const float* q = values_[phase.q].data + static_cast<std::int64_t>(row) * values_[phase.q].width +
                   unit.head * group * width;
  if (phase.q_rope >= 0) {
    std::copy_n(q, group * width, scratch.turned);
    rope_row(phase.q_rope, row, scratch.turned, static_cast<int>(group));
    q = scratch.turned;
  }
  if (position / kSplitTokens < unit.end_split) {
    const float* k =
        values_[phase.k].data + static_cast<std::int64_t>(row) * values_[phase.k].width + unit.head * width;
    const float* v = values_[phase.v].data + static_cast<std::int64_t>(row) * values_[phase.v].width;
    float* turned_key = scratch.turned + group * width;
    std::copy_n(k, width, turned_key);
    if (phase.k_rope >= 0) rope_row(phase.k_rope, row, turned_key, 1);
    store_token(phase, unit.sequence, unit.head, position, turned_key, v + unit.head * params.value_width);
  }
  return q;
}

void CpuPlan::run_unit(const AttentionPhase& phase, const Unit& unit, bool fused, Scratch& scratch) {
  const auto& params = std::get<AttentionParams>(graph_.nodes[phase.node].params);
  const int group = static_cast<int>(params.heads / params.kv_heads),
            width = static_cast<int>(params.key_width);
  const int first_row = batch_.sequence_starts[static_cast<std::size_t>(unit.sequence)],
            blocks = (width + 15) / 16;
  const float* turned = fused ? fused_queries(phase, unit, scratch) : nullptr;
  for (int v = 0; v < unit.vectors; ++v) {
    const int vector = unit.first_vector + v, row = first_row + vector / group,
              head = unit.head * group + vector % group;
    const float* q = fused ? turned + vector * width
                           : values_[phase.q].data + static_cast<std::int64_t>(row) * values_[phase.q].width +
                                 head * width;
    const int tile_first = v / kAttendTile * kAttendTile;
    const int tile = smallest_tile(std::min(unit.vectors - tile_first, kAttendTile));
    FloatLine* lines = scratch.queries + static_cast<std::int64_t>(tile_first) * blocks + (v - tile_first);
    kernels_.copy_lines(q, width, lines, tile);
    // Unused vectors of a tile repeat its last one.
    for (int i = v + 1; v + 1 == unit.vectors && i < tile_first + tile; ++i)
      kernels_.copy_lines(q, width, lines + (i - v), tile);
  }
  const std::size_t columns = attention_.value_columns;
  float maxima[kAttendTile], sums[kAttendTile];
  if (unit.slot < 0) {
    for (int v = 0; v < unit.vectors; ++v) {
      float* state = scratch.state + static_cast<std::size_t>(v) * (columns + 2);
      std::fill_n(state, columns + 2, 0.0F);
      state[0] = kNothing;
    }
  }
  for (int split = unit.first_split; split < unit.end_split; ++split) {
    for (int at = 0; at < unit.vectors; at += kAttendTile) {
      const int used = std::min(unit.vectors - at, kAttendTile), tile = smallest_tile(used);
      run_split(phase, unit, split, at, tile, scratch.queries + static_cast<std::int64_t>(at) * blocks,
                maxima, sums, scratch);
      for (int i = 0; i < used; ++i) {
        const float* out = scratch.outs + static_cast<std::size_t>(i) * columns;
        if (unit.slot < 0) {
          float* state = scratch.state + static_cast<std::size_t>(at + i) * (columns + 2);
          kernels_.merge(state, state + 1, state + 2, maxima[i], sums[i], out,
                         static_cast<int>(params.value_width));
        } else {
          float* partial = partials_ +
                           static_cast<std::size_t>(unit.slot + split - unit.first_of_all) * partial_floats_ +
                           static_cast<std::size_t>(i) * (columns + 2);
          partial[0] = maxima[i];
          partial[1] = sums[i];
          std::copy_n(out, columns, partial + 2);
        }
      }
    }
  }
  finish_unit(phase, unit, scratch);
}

void CpuPlan::run_split(const AttentionPhase& phase, const Unit& unit, int split, int tile_first, int tile,
                        const FloatLine* queries, float* maxima, float* sums, Scratch& scratch) const {
  const Node& node = graph_.nodes[phase.node];
  const auto& params = std::get<AttentionParams>(node.params);
  const int group = static_cast<int>(params.heads / params.kv_heads);
  const auto sequence = static_cast<std::size_t>(unit.sequence);
  const int start = batch_.positions[static_cast<std::size_t>(batch_.sequence_starts[sequence])];
  const int last = start + batch_.sequence_starts[sequence + 1] - batch_.sequence_starts[sequence] - 1;
  int lows[kAttendTile], highs[kAttendTile];
  AttendCall call{};
  call.first = std::numeric_limits<int>::max();
  for (int i = 0; i < tile; ++i) {
    const int vector = std::min(unit.first_vector + tile_first + i, unit.first_vector + unit.vectors - 1);
    const int position = start + vector / group;
    highs[i] = params.causal ? position : last;
    lows[i] =
        params.window > 0 ? static_cast<int>(std::max<std::int64_t>(position - params.window + 1, 0)) : 0;
    call.first = std::min(call.first, lows[i]);
    call.end = std::max(call.end, highs[i] + 1);
  }
  call.first = std::max(call.first, split * kSplitTokens);
  call.end = std::min(call.end, (split + 1) * kSplitTokens);
  if (call.first >= call.end) {  // none of them sees this split
    std::fill_n(maxima, tile, kNothing);
    std::fill_n(sums, tile, 0.0F);
    return;
  }
  const PageTable& table = batch_.page_tables[graph_.states[static_cast<std::size_t>(node.state)].group];
  const std::int32_t* pages = table.pages.data() + table.starts[sequence];
  const int first_page = call.first / options_.page_tokens, last_page = (call.end - 1) / options_.page_tokens;
  for (int page = first_page; page <= last_page; ++page) {
    scratch.keys[page - first_page] = kv_.keys(node.state, pages[page], unit.head);
    scratch.values[page - first_page] = kv_.values(node.state, pages[page], unit.head);
  }
  call.layout = &kv_.layout(node.state);
  call.keys = scratch.keys;
  call.values = scratch.values;
  call.queries = queries;
  call.tile = tile;
  call.lows = lows;
  call.highs = highs;
  call.scale = params.scale;
  call.soft_cap = params.soft_cap;
  call.scores = scratch.scores;
  call.maxima = maxima;
  call.sums = sums;
  call.outs = scratch.outs;
  call.out_stride = static_cast<std::int64_t>(attention_.value_columns);
  kernels_.attend[static_cast<int>(kv_.kind())](call);
}

void CpuPlan::finish_unit(const AttentionPhase& phase, const Unit& unit, Scratch& scratch) {
  if (unit.slot >= 0) {
    const std::size_t columns = attention_.value_columns + 2;
    std::atomic<int>& finished = finished_[static_cast<std::size_t>(unit.sequence) * attention_.kv_heads +
                                           static_cast<std::size_t>(unit.head)];
    if (finished.fetch_add(1, std::memory_order_acq_rel) + 1 < unit.all_splits) return;
    finished.store(0, std::memory_order_relaxed);
    const auto value_width =
        static_cast<int>(std::get<AttentionParams>(graph_.nodes[phase.node].params).value_width);
    for (int v = 0; v < unit.vectors; ++v) {
      float* state = scratch.state + static_cast<std::size_t>(v) * columns;
      std::fill_n(state, columns, 0.0F);
      state[0] = kNothing;
      for (int split = 0; split < unit.all_splits; ++split) {
        const float* partial = partials_ + static_cast<std::size_t>(unit.slot + split) * partial_floats_ +
                               static_cast<std::size_t>(v) * columns;
        kernels_.merge(state, state + 1, state + 2, partial[0], partial[1], partial + 2, value_width);
      }
    }
  }
  write_outputs(phase, unit, scratch.state);
}

// What a head's sink adds to a sum of exponentials that are counted from `maximum`.
float CpuPlan::sink_share(const Node& node, int head, float maximum) const {
  if (node.weights.empty()) return 0.0F;
  return std::exp(weights_.vector(static_cast<std::int32_t>(node.weights[0]))[head] - maximum);
}

void CpuPlan::write_outputs(const AttentionPhase& phase, const Unit& unit, const float* state) const {
  const Node& node = graph_.nodes[phase.node];
  const auto& params = std::get<AttentionParams>(node.params);
  const int group = static_cast<int>(params.heads / params.kv_heads),
            width = static_cast<int>(params.value_width);
  const Value& out = values_[node.output];
  for (int v = 0; v < unit.vectors; ++v, state += attention_.value_columns + 2) {
    const int vector = unit.first_vector + v;
    const int row = batch_.sequence_starts[static_cast<std::size_t>(unit.sequence)] + vector / group;
    float* to =
        out.data + static_cast<std::int64_t>(row) * out.width + (unit.head * group + vector % group) * width;
    kernels_.scale(state + 2,
                   1.0F / (state[1] + sink_share(node, unit.head * group + vector % group, state[0])), to,
                   width);
  }
}

}  // namespace pensieve::hal::cpu
