// Compiling a plan: weights are packed, phases found, and every buffer of a step gets its place.
#include <fmt/format.h>

#include <algorithm>

#include "hal/batch_check.h"
#include "hal/cpu/plan.h"

namespace pensieve::hal::cpu {
namespace {

constexpr std::size_t kAlign = 64;
std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

std::vector<std::int32_t> states_of(const Segment& segment) {
  std::vector<std::int32_t> states;
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    const Node& node = segment.graph->nodes[i];
    if (node.op() == Op::attention && std::find(states.begin(), states.end(), node.state) == states.end())
      states.push_back(node.state);
  }
  return states;
}

// Places for values: one that is no longer read makes room for a later one.
class Places {
 public:
  // Bytes from `from` on, free again after phase `last`.
  std::size_t take(std::size_t bytes, int now, int last) {
    Place* best = nullptr;
    for (Place& place : places_) {
      if (place.last < now && place.bytes >= bytes && (best == nullptr || place.bytes < best->bytes))
        best = &place;
    }
    if (best == nullptr) {
      places_.push_back({total_, bytes, last});
      total_ += bytes;
      return places_.back().at;
    }
    best->last = last;
    return best->at;
  }
  std::size_t total() const { return total_; }

 private:
  struct Place {
    std::size_t at, bytes;
    int last;
  };
  std::vector<Place> places_;
  std::size_t total_ = 0;
};

// First walk: sizes; second walk, with memory: pointers.
struct Walker {
  std::uint8_t* memory = nullptr;
  std::size_t at = 0;
  template <class T>
  void take(T*& pointer, std::size_t count) {
    if (memory != nullptr) pointer = reinterpret_cast<T*>(memory + at);
    at += aligned(count * sizeof(T));
  }
};

// Of two groups and a row, where the matrix is decoded as it is read.
std::size_t decoded_floats(const Matrix& matrix) {
  if (kind_for(*matrix.codec)) return 0;
  return 2 * matrix.shape.group_bytes / sizeof(float) + static_cast<std::size_t>(matrix.inputs);
}

Result<> check_options(const Segment& segment, std::span<const Weight> weights, const PlanOptions& options) {
  if (segment.graph == nullptr || segment.first_node > segment.end_node ||
      segment.end_node > segment.graph->nodes.size())
    return fail(Error::Code::invalid, "the segment does not lie within a graph");
  if (options.max_rows < 1 || options.max_sequences < 1) {
    return fail(Error::Code::invalid,
                fmt::format("a plan for {} rows of {} sequences: both must be at least 1", options.max_rows,
                            options.max_sequences));
  }
  if (weights.size() != segment.graph->weights.size()) {
    return fail(Error::Code::invalid,
                fmt::format("{} weights for a graph with {}", weights.size(), segment.graph->weights.size()));
  }
  return validate(*segment.graph);
}

}  // namespace

CpuPlan::CpuPlan(const Kernels& kernels, const Segment& segment, const PlanOptions& options)
    : kernels_(kernels), graph_(*segment.graph), segment_(segment), options_(options) {
  segment_.graph = &graph_;
}

Result<std::unique_ptr<Plan>> CpuPlan::compile(const Kernels& kernels, int threads, const Segment& segment,
                                               std::span<const Weight> weights, const PlanOptions& options) {
  if (auto checked = check_options(segment, weights, options); !checked)
    return tl::unexpected(checked.error());
  std::unique_ptr<CpuPlan> plan(new CpuPlan(kernels, segment, options));
  if (auto built = plan->build(weights, threads); !built) return tl::unexpected(built.error());
  return plan;
}

Result<> CpuPlan::build(std::span<const Weight> weights, int threads) {
  auto pool = util::ThreadPool::open(threads);
  if (!pool) return tl::unexpected(pool.error());
  pool_ = std::move(*pool);
  const auto states = states_of(segment_);
  auto kv = KvStore::open(graph_, states, options_, kernels_.lanes);
  if (!kv) return tl::unexpected(kv.error());
  kv_ = std::move(*kv);
  auto slots = SlotStore::open(segment_, options_);
  if (!slots) return tl::unexpected(slots.error());
  slots_ = std::move(*slots);
  auto store = WeightStore::open(segment_, weights, kernels_, *pool_);
  if (!store) return tl::unexpected(store.error());
  weights_ = std::move(*store);
  row_sequence_.resize(static_cast<std::size_t>(options_.max_rows));
  return place_all(weights, pool_->workers());
}

// Needs no more of the weights than their shapes.
Result<> CpuPlan::place_all(std::span<const Weight> weights, int workers) {
  program_ = fuse(segment_, [&](std::uint32_t a, std::uint32_t b) {
    return weights[a].codec == weights[b].codec && weights[a].shape == weights[b].shape;
  });
  for (const RopeUse& use : program_.ropes) ropes_.emplace_back(use.params, weights_.vector(use.factors));
  windows_ = windows_of(segment_);
  measure_phases();
  finished_ = std::make_unique<std::atomic<int>[]>(static_cast<std::size_t>(options_.max_sequences) *
                                                   attention_.kv_heads);
  if (auto placed = place_values(segment_.inputs); !placed) return placed;
  return place_scratch(workers);
}

void CpuPlan::measure_phases() {
  linear_needs_.resize(program_.phases.size());
  for (std::size_t i = 0; i < program_.phases.size(); ++i) {
    if (const auto* linear = std::get_if<LinearPhase>(&program_.phases[i])) {
      LinearNeeds& needs = linear_needs_[i];
      for (const LinearPart& part : linear->parts) {
        const Matrix& matrix = weights_.matrix(part.weight);
        (matrix.quantized_panel ? needs.quantized : needs.floats) = true;
        needs.groups += matrix.shape.groups;
        needs.blocks = std::max(needs.blocks, matrix.shape.blocks);
      }
    } else if (const auto* node = std::get_if<NodePhase>(&program_.phases[i])) {
      measure_stack(graph_.nodes[node->node]);
    } else if (const auto* attention = std::get_if<AttentionPhase>(&program_.phases[i])) {
      const auto& params = std::get<AttentionParams>(graph_.nodes[attention->node].params);
      const auto key_width = static_cast<std::size_t>(params.key_width),
                 value_width = static_cast<std::size_t>(params.value_width);
      attention_.key_lines = std::max(attention_.key_lines, (key_width + 15) / 16);
      attention_.value_columns = std::max(attention_.value_columns, (value_width + 15) / 16 * 16);
      attention_.row = std::max(attention_.row, static_cast<std::size_t>(params.heads + 1) * key_width);
      attention_.kv_heads = std::max(attention_.kv_heads, static_cast<std::size_t>(params.kv_heads));
    }
  }
}

void CpuPlan::measure_stack(const Node& node) {
  StackSizes& most = stack_sizes_;
  const auto rows = static_cast<std::size_t>(options_.max_rows);
  const auto line = [&](std::size_t lines, std::size_t width) {
    most.quantized = std::max(most.quantized, lines * (width / 32));
    most.floats = std::max(most.floats, lines * ((width + 15) / 16));
  };
  const auto width_of = [&](std::uint32_t value) {
    return static_cast<std::size_t>(graph_.values[value].width);
  };
  if (node.op() == Op::linear) {
    const auto blocks = static_cast<std::size_t>(std::get<LinearParams>(node.params).blocks);
    line(rows * blocks, width_of(node.inputs[0]) / blocks);
  } else if (node.op() == Op::experts) {
    const std::size_t pairs = rows * static_cast<std::size_t>(std::get<ExpertsParams>(node.params).used);
    const auto inner = static_cast<std::size_t>(weights_.matrix(node.weights[0]).outputs);
    line(pairs, width_of(node.inputs[0]));
    line(pairs, inner);
    most.pairs = std::max(most.pairs, pairs);
    most.experts = std::max(most.experts, width_of(node.inputs[1]));
    most.hidden = std::max(most.hidden, pairs * inner);
    most.results = std::max(most.results, pairs * std::max(inner, width_of(node.output)));
  }
}

Result<> CpuPlan::place_values(std::span<const std::uint32_t> inputs) {
  const int phases = static_cast<int>(program_.phases.size());
  std::vector<int> last(graph_.values.size(), -1);
  for (int i = 0; i < phases; ++i) {
    for (const std::uint32_t value : values_read(graph_, program_.phases[static_cast<std::size_t>(i)]))
      last[value] = i;
  }
  for (const std::uint32_t value : segment_.outputs) last[value] = phases;
  values_.resize(graph_.values.size());
  Places places;
  std::vector<std::size_t> offsets(graph_.values.size());
  std::vector<std::uint32_t> placed;
  const auto place = [&](std::uint32_t value, int now) {
    const ValueSpec& spec = graph_.values[value];
    const auto bytes = aligned(static_cast<std::size_t>(options_.max_rows) *
                               static_cast<std::size_t>(spec.width) * sizeof(float));
    values_[value] = {nullptr, static_cast<int>(spec.width), spec.rows};
    if (value == graph_.logits && segment_.outputs.empty()) return bytes;
    offsets[value] = places.take(bytes, now, std::max(last[value], now));
    placed.push_back(value);
    return std::size_t{0};
  };
  std::size_t logits_bytes = 0;
  for (const std::uint32_t value : inputs) place(value, -1);
  for (int i = 0; i < phases; ++i) {
    for (const std::uint32_t value : values_written(graph_, program_.phases[static_cast<std::size_t>(i)]))
      logits_bytes += place(value, i);
  }
  auto region = Region::open(places.total(), false);
  if (!region) return tl::unexpected(region.error());
  value_memory_ = std::move(*region);
  for (const std::uint32_t value : placed)
    values_[value].data = reinterpret_cast<float*>(value_memory_.data() + offsets[value]);
  scratch_bytes_ += places.total();
  if (logits_bytes == 0) return {};
  auto logits = Region::open(logits_bytes, false);
  if (!logits) return tl::unexpected(logits.error());
  logits_memory_ = std::move(*logits);
  values_[graph_.logits].data = reinterpret_cast<float*>(logits_memory_.data());
  // Rows beyond one for each sequence are only asked for by evaluations.
  scratch_bytes_ += static_cast<std::size_t>(options_.max_sequences) *
                    static_cast<std::size_t>(graph_.output_width()) * sizeof(float);
  return {};
}

template <class Walk>
void CpuPlan::walk_scratch(Walk& walk) {
  std::size_t quantized = 0, floats = 0, width = 0, group = 0;  // lines in a row, widest value, decoded group
  for (std::size_t i = 0; i < program_.phases.size(); ++i) {
    const auto* linear = std::get_if<LinearPhase>(&program_.phases[i]);
    if (linear == nullptr) {
      const auto* other = std::get_if<NodePhase>(&program_.phases[i]);
      if (other == nullptr) continue;
      const Node& node = graph_.nodes[other->node];
      if (node.op() == Op::route)
        width = std::max(width, 2 * static_cast<std::size_t>(values_[node.output].width));
      if (node.op() == Op::linear || node.op() == Op::experts) {
        for (std::size_t w = 0; w < std::min<std::size_t>(node.weights.size(), 3); ++w)
          group = std::max(group, decoded_floats(weights_.matrix(node.weights[w])));
      }
      continue;
    }
    const auto columns = static_cast<std::size_t>(values_[linear->input].width);
    width = std::max(width, columns);
    if (linear_needs_[i].quantized) quantized = std::max(quantized, columns / 32);
    if (linear_needs_[i].floats) floats = std::max(floats, (columns + 15) / 16);
    for (const LinearPart& part : linear->parts) {
      group = std::max(group, decoded_floats(weights_.matrix(part.weight)));
    }
  }
  const auto rows = static_cast<std::size_t>(options_.max_rows);
  walk.take(shared_panels_.quantized, rows * quantized);
  walk.take(shared_panels_.floats, rows * floats);
  for (std::size_t i = 0; i < ropes_.size(); ++i) {
    const auto angles = rows * static_cast<std::size_t>(ropes_[i].params().rotary_width);
    walk.take(cosines_[i], angles);
    walk.take(sines_[i], angles);
  }
  walk.take(stacks_.panels.quantized, stack_sizes_.quantized);
  walk.take(stacks_.panels.floats, stack_sizes_.floats);
  walk.take(stacks_.hidden, stack_sizes_.hidden);
  walk.take(stacks_.results, stack_sizes_.results);
  walk.take(stacks_.starts, stack_sizes_.experts + 1);
  walk.take(stacks_.next, stack_sizes_.experts);
  walk.take(stacks_.pair_row, stack_sizes_.pairs);
  walk.take(stacks_.row_pairs, stack_sizes_.pairs);
  const std::size_t columns = attention_.value_columns;
  for (Scratch& scratch : scratch_) {
    walk.take(scratch.panels.quantized, kLocalRows * quantized);
    walk.take(scratch.panels.floats, kLocalRows * floats);
    walk.take(scratch.row, width);
    walk.take(scratch.group, group);
    walk.take(scratch.queries, kBlockVectors * attention_.key_lines);
    walk.take(scratch.turned, attention_.row);
    walk.take(scratch.scores, std::size_t{kAttendTile} * kScoreStride);
    walk.take(scratch.outs, kAttendTile * columns);
    walk.take(scratch.state, kBlockVectors * (columns + 2));
    walk.take(scratch.keys, kSplitTokens + 2);
    walk.take(scratch.values, kSplitTokens + 2);
  }
  partial_floats_ = kAttendTile * (columns + 2);
  if (columns > 0) walk.take(partials_, kPartialSlots * partial_floats_);
}

Result<> CpuPlan::place_scratch(int workers) {
  scratch_.resize(static_cast<std::size_t>(workers));
  cosines_.resize(ropes_.size());
  sines_.resize(ropes_.size());
  Walker sizes;
  walk_scratch(sizes);
  auto region = Region::open(sizes.at, false);
  if (!region) return tl::unexpected(region.error());
  scratch_memory_ = std::move(*region);
  scratch_bytes_ +=
      sizes.at - kPartialSlots * partial_floats_ * sizeof(float);  // of which only long contexts take much
  Walker pointers{scratch_memory_.data()};
  walk_scratch(pointers);
  return {};
}

Result<MemoryEstimate> CpuPlan::estimate(const Kernels& kernels, int threads, const Segment& segment,
                                         std::span<const Weight> weights, const PlanOptions& options) {
  if (auto checked = check_options(segment, weights, options); !checked)
    return tl::unexpected(checked.error());
  const auto state = KvStore::bytes_of(*segment.graph, states_of(segment), options, kernels.lanes);
  if (!state) return tl::unexpected(state.error());
  MemoryEstimate estimate{WeightStore::estimate(segment, weights, kernels),
                          *state + SlotStore::bytes_of(segment, options), 0};
  for (const Weight& weight : weights) {
    if (weight.codec == nullptr || weight.shape.empty())
      return fail(Error::Code::invalid, "a weight without codec or shape");
  }
  // Address space is free until it is touched: the same places are taken as in a plan that runs.
  CpuPlan plan(kernels, segment, options);
  plan.weights_ = WeightStore::shapes(segment, weights, kernels);
  if (auto placed = plan.place_all(weights, threads); !placed) return tl::unexpected(placed.error());
  estimate.scratch = plan.scratch_bytes_;
  return estimate;
}

}  // namespace pensieve::hal::cpu
