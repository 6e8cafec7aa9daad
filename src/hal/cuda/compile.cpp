// Compiling a segment for the GPU: checks, weights, state, scratch.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "hal/batch_check.h"
#include "hal/cuda/plan.h"
#include "hal/plain_ops.h"

namespace pensieve::hal::cuda {
namespace {

constexpr std::size_t kPartialFloats = std::size_t{16} << 20;  // of split sums

Result<> check_options(const Segment& segment, const PlanOptions& options) {
  if (options.page_tokens <= 0 || options.page_count < 0 || options.max_rows <= 0 ||
      options.max_sequences <= 0) {
    return fail(
        Error::Code::invalid,
        fmt::format(
            "plan options: {} tokens a page, {} pages, {} rows, {} sequences; all but pages must be positive",
            options.page_tokens, options.page_count, options.max_rows, options.max_sequences));
  }
  const Graph& graph = *segment.graph;
  if (auto valid = validate(graph); !valid) return valid;
  if (segment.first_node > segment.end_node || segment.end_node > graph.nodes.size()) {
    return fail(Error::Code::invalid, fmt::format("segment of nodes {} to {} in a graph of {}",
                                                  segment.first_node, segment.end_node, graph.nodes.size()));
  }
  std::vector<bool> known(graph.values.size(), false);
  for (const auto* values : {&segment.inputs, &segment.outputs}) {
    for (const std::uint32_t value : *values) {
      if (value >= graph.values.size())
        return fail(Error::Code::invalid,
                    fmt::format("segment names value {}, the graph has {}", value, graph.values.size()));
    }
  }
  for (const std::uint32_t value : segment.inputs) known[value] = true;
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    for (const std::uint32_t input : graph.nodes[i].inputs) {
      if (!known[input])
        return fail(Error::Code::invalid,
                    fmt::format("node {} ({}) reads value {}, which is not among the segment's inputs", i,
                                op_name(graph.nodes[i].op()), input));
    }
    known[graph.nodes[i].output] = true;
  }
  for (const std::uint32_t value : segment.outputs) {
    if (!known[value])
      return fail(Error::Code::invalid,
                  fmt::format("the segment does not compute its output, value {}", value));
  }
  return {};
}

Result<Kept> kept_as(const Codec* codec, const StateSpec& state) {
  if (codec == nullptr) return fail(Error::Code::invalid, "no codec was given to keep keys and values in");
  if (codec->name != "f32" && codec->name != "f16" && codec->name != "q8_0") {
    return fail(
        Error::Code::unsupported,
        fmt::format("the cuda backend keeps keys and values as f32, f16 or q8_0, not as {}", codec->name));
  }
  if (state.key_width % codec->block_elements != 0 || state.value_width % codec->block_elements != 0) {
    return fail(Error::Code::unsupported,
                fmt::format("keys of {} and values of {} elements cannot be kept as {}: no whole number of "
                            "blocks of {}; use f16",
                            state.key_width, state.value_width, codec->name, codec->block_elements));
  }
  return codec->name == "f32" ? Kept::f32 : codec->name == "f16" ? Kept::f16 : Kept::q8_0;
}

std::size_t state_bytes(const StateSpec& state, const PlanOptions& options) {
  const Codec& codec = *options.kv_codec;
  return static_cast<std::size_t>(options.page_count) * static_cast<std::size_t>(options.page_tokens) *
         static_cast<std::size_t>(state.heads) *
         (codec.row_bytes(static_cast<std::size_t>(state.key_width)) +
          codec.row_bytes(static_cast<std::size_t>(state.value_width)));
}

// Angle of each pair for one step of position; core/ops/rope.h, the blend of yarn is section 3.2 of arXiv
// 2309.00071.
std::vector<double> pair_angles(const RopeParams& params, const std::vector<float>& factors) {
  const auto width = static_cast<double>(params.rotary_width), base = static_cast<double>(params.base);
  const bool yarn = params.scaling == RopeParams::Scaling::yarn;
  const auto pair_turning = [&](float rotations) {
    return width *
           std::log(static_cast<double>(params.original_context) /
                    (static_cast<double>(rotations) * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(base));
  };
  double low = 0.0, high = 0.0;
  if (yarn) {
    low = std::max(std::floor(pair_turning(params.beta_fast)), 0.0);
    high = std::min(std::ceil(pair_turning(params.beta_slow)), width - 1.0);
  }
  std::vector<double> angles(static_cast<std::size_t>(params.rotary_width / 2));
  for (std::size_t i = 0; i < angles.size(); ++i) {
    double angle = std::pow(base, -2.0 * static_cast<double>(i) / width);
    if (!factors.empty()) angle /= static_cast<double>(factors[i]);
    const double stretched = angle / static_cast<double>(params.scale_factor);
    if (params.scaling == RopeParams::Scaling::linear) angle = stretched;
    if (yarn) {
      const double slow = std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
      angle = angle * (1.0 - slow) + stretched * slow;
    }
    angles[i] = angle;
  }
  return angles;
}

hal::Program program_of(const Segment& segment, std::span<const Weight> weights) {
  return hal::fuse(
      segment, [weights](std::uint32_t a, std::uint32_t b) { return weights[a].codec == weights[b].codec; });
}

struct ScratchSizes {  // bytes
  std::size_t plain = 0, bfloat = 0, second = 0, decoded = 0;
  std::size_t total() const { return plain + bfloat + second + decoded; }
};
ScratchSizes scratch_sizes(const Graph& graph, const hal::Program& program, std::span<const Weight> weights,
                           std::size_t rows) {
  ScratchSizes sizes;
  const std::size_t few = std::min<std::size_t>(rows, kStreamRows);
  for (const hal::Phase& phase : program.phases) {
    const auto* linear = std::get_if<hal::LinearPhase>(&phase);
    if (linear == nullptr) continue;
    const auto stride = static_cast<std::size_t>(plain_stride(graph.values[linear->input].width));
    for (const hal::LinearPart& part : linear->parts) {
      if (weights[part.weight].codec == nullptr) continue;
      const Stored stored = stored_as(*weights[part.weight].codec);
      const auto width = static_cast<std::size_t>(graph.weights[part.weight].shape[0]);
      sizes.plain = std::max(sizes.plain, stride * 4 * (stored == Stored::f32 ? rows : few));
      if (stored == Stored::f32) continue;
      sizes.bfloat = std::max(sizes.bfloat, stride * 2 * rows);
      if (part.paired >= 0) sizes.second = std::max(sizes.second, width * 4 * rows);
      // Blocks are decoded for any number of rows; the others for wide products, which heads seldom have.
      const bool wide =
          rows >= kWideRows && stored != Stored::bf16 && graph.values[linear->input].rows == Rows::batch;
      if (stored == Stored::blocks || wide)
        sizes.decoded = std::max(sizes.decoded, width * stride * 2 * (wide && part.paired >= 0 ? 2 : 1));
    }
  }
  return sizes;
}

}  // namespace

CudaPlan::CudaPlan(int device, const Segment& segment, const PlanOptions& options)
    : device_(device), graph_(*segment.graph), segment_(segment), options_(options) {
  segment_.graph = &graph_;
}

CudaPlan::~CudaPlan() {
  cudaSetDevice(device_);
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  for (auto& [shape, captured] : captured_) {
    if (captured.graph != nullptr) cudaGraphExecDestroy(captured.graph);
  }
  if (done_ != nullptr) cudaEventDestroy(done_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Result<std::unique_ptr<Plan>> CudaPlan::compile(int device, const Segment& segment,
                                                std::span<const Weight> weights, const PlanOptions& options) {
  if (auto checked = check_options(segment, options); !checked) return tl::unexpected(checked.error());
  if (auto plain = check_plain(segment, weights, "cuda"); !plain) return tl::unexpected(plain.error());
  if (auto chosen = check(cudaSetDevice(device), "be chosen"); !chosen) return tl::unexpected(chosen.error());
  std::unique_ptr<CudaPlan> plan(new CudaPlan(device, segment, options));
  if (auto opened = plan->open_stream(); !opened) return tl::unexpected(opened.error());
  auto loaded = DeviceWeights::load(plan->segment_, weights, plan->stream_);
  if (!loaded) return tl::unexpected(loaded.error());
  plan->weights_ = std::move(*loaded);
  plan->program_ = program_of(plan->segment_, weights);
  plan->place_values();
  for (const auto step : {&CudaPlan::open_state, &CudaPlan::open_ropes}) {
    if (auto done = ((*plan).*step)(); !done) return tl::unexpected(done.error());
  }
  const ScratchSizes sizes =
      scratch_sizes(plan->graph_, plan->program_, weights, static_cast<std::size_t>(options.max_rows));
  const std::pair<DeviceMemory CudaPlan::*, std::size_t> wanted[] = {{&CudaPlan::plain_input_, sizes.plain},
                                                                     {&CudaPlan::bfloat_input_, sizes.bfloat},
                                                                     {&CudaPlan::second_, sizes.second},
                                                                     {&CudaPlan::decoded_, sizes.decoded}};
  for (const auto& [member, bytes] : wanted) {
    auto memory = DeviceMemory::allocate(bytes, "inputs of linear layers");
    if (!memory) return tl::unexpected(memory.error());
    (*plan).*member = std::move(*memory);
  }
  if (auto done = plan->allocate_scratch(); !done) return tl::unexpected(done.error());
  if (auto ready = check(cudaDeviceSynchronize(), "get ready"); !ready) return tl::unexpected(ready.error());
  return plan;
}

Result<> CudaPlan::open_stream() {
  cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device_);
  wide_ = wide_products();
  if (auto made = check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream"); !made)
    return made;
  return check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "make an event");
}

Result<> CudaPlan::open_state() {
  states_.resize(graph_.states.size());
  windows_ = windows_of(segment_);
  for (std::uint32_t i = segment_.first_node; i < segment_.end_node; ++i) {
    const Node& node = graph_.nodes[i];
    if (node.op() == Op::embed) reads_tokens_ = true;
    if (!std::holds_alternative<AttentionParams>(node.params)) continue;
    const StateSpec& spec = graph_.states[static_cast<std::size_t>(node.state)];
    State& state = states_[static_cast<std::size_t>(node.state)];
    auto kept = kept_as(options_.kv_codec, spec);
    if (!kept) return tl::unexpected(kept.error());
    auto memory = DeviceMemory::allocate(state_bytes(spec, options_), "keys and values");
    if (!memory) return tl::unexpected(memory.error());
    state.group = spec.group;
    KvState& kv = state.kv;
    kv.kept = *kept;
    kv.page_tokens = options_.page_tokens;
    kv.kv_heads = static_cast<int>(spec.heads);
    kv.key_width = static_cast<int>(spec.key_width);
    kv.value_width = static_cast<int>(spec.value_width);
    kv.key_bytes = static_cast<int>(options_.kv_codec->row_bytes(static_cast<std::size_t>(spec.key_width)));
    kv.value_bytes =
        static_cast<int>(options_.kv_codec->row_bytes(static_cast<std::size_t>(spec.value_width)));
    const auto tokens = static_cast<std::size_t>(options_.page_tokens) * static_cast<std::size_t>(spec.heads);
    state.key_page_bytes = tokens * static_cast<std::size_t>(kv.key_bytes);
    state.value_page_bytes = tokens * static_cast<std::size_t>(kv.value_bytes);
    kv.keys = memory->as();
    kv.values = memory->as() + state.key_page_bytes * static_cast<std::size_t>(options_.page_count);
    if (memory->size() > 0) cudaMemsetAsync(memory->as(), 0, memory->size(), stream_);
    state.memory = std::move(*memory);
  }
  return {};
}

Result<> CudaPlan::open_ropes() {
  for (const hal::Phase& phase : program_.phases) {
    const auto* node = std::get_if<hal::NodePhase>(&phase);
    if (node != nullptr && node->rope >= 0)
      turns_outputs_ = turns_outputs_ || graph_.values[graph_.nodes[node->node].output].rows == Rows::output;
  }
  for (const hal::RopeUse& use : program_.ropes) {
    Rope rope;
    rope.params = use.params;
    const std::vector<double> angles = pair_angles(
        use.params, use.factors >= 0 ? weights_.host_vector(static_cast<std::uint32_t>(use.factors))
                                     : std::vector<float>{});
    rope.pairs = static_cast<int>(angles.size());
    if (use.params.scaling == RopeParams::Scaling::yarn)
      rope.magnitude = static_cast<double>(use.params.attention_factor);
    auto held = DeviceMemory::allocate(angles.size() * sizeof(double), "angles");
    auto turns = DeviceMemory::allocate(
        angles.size() * static_cast<std::size_t>(options_.max_rows) * sizeof(float2), "angles");
    if (!held) return tl::unexpected(held.error());
    if (!turns) return tl::unexpected(turns.error());
    if (auto sent =
            check(cudaMemcpy(held->as(), angles.data(), held->size(), cudaMemcpyHostToDevice), "take angles");
        !sent)
      return sent;
    rope.angles = std::move(*held);
    rope.turns = std::move(*turns);
    ropes_.push_back(std::move(rope));
  }
  return {};
}

// Slots are handed out in the order of phases and taken back after a value's last reader. What a phase writes
// never lies where it reads.
void CudaPlan::place_values() {
  constexpr std::size_t kNeverFreed = SIZE_MAX;
  const std::size_t phases = program_.phases.size();
  std::vector<std::size_t> last(graph_.values.size(), 0);
  slot_of_.assign(graph_.values.size(), -1);
  for (std::size_t i = 0; i < phases; ++i) {
    for (const std::uint32_t value : hal::values_read(graph_, program_.phases[i])) last[value] = i;
    for (const std::uint32_t value : hal::values_written(graph_, program_.phases[i])) last[value] = i;
  }
  for (const std::uint32_t value : segment_.outputs) last[value] = kNeverFreed;
  last[graph_.logits] = kNeverFreed;
  std::vector<std::size_t> free[2];
  const auto assign = [&](std::uint32_t value) {
    const ValueSpec& spec = graph_.values[value];
    auto& usable = free[spec.rows == Rows::batch ? 0 : 1];
    if (usable.empty()) {
      usable.push_back(slots_.size());
      slots_.push_back({spec.rows, 0, {}});
    }
    Slot& slot = slots_[usable.back()];
    slot_of_[value] = static_cast<std::int32_t>(usable.back());
    usable.pop_back();
    slot.width = std::max(slot.width, static_cast<std::size_t>(spec.width));
  };
  for (const std::uint32_t value : segment_.inputs) assign(value);
  for (std::size_t i = 0; i < phases; ++i) {
    std::vector<std::uint32_t> ending = hal::values_read(graph_, program_.phases[i]);
    for (const std::uint32_t value : hal::values_written(graph_, program_.phases[i])) {
      assign(value);
      ending.push_back(value);
    }
    std::sort(ending.begin(), ending.end());
    ending.erase(std::unique(ending.begin(), ending.end()), ending.end());
    for (const std::uint32_t value : ending) {
      if (last[value] == i)
        free[graph_.values[value].rows == Rows::batch ? 0 : 1].push_back(
            static_cast<std::size_t>(slot_of_[value]));
    }
  }
}

Result<> CudaPlan::allocate_scratch() {
  for (Slot& slot : slots_) {
    if (slot.rows != Rows::batch) continue;
    auto memory = DeviceMemory::allocate(
        slot.width * static_cast<std::size_t>(options_.max_rows) * sizeof(float), "activations");
    if (!memory) return tl::unexpected(memory.error());
    slot.memory = std::move(*memory);
  }
  auto partials = DeviceMemory::allocate(kPartialFloats * sizeof(float), "partial sums");
  if (!partials) return tl::unexpected(partials.error());
  partials_ = std::move(*partials);
  auto arrivals = DeviceMemory::allocate(arrival_counters() * sizeof(int), "counters");
  if (!arrivals) return tl::unexpected(arrivals.error());
  arrivals_ = std::move(*arrivals);
  cudaMemsetAsync(arrivals_.as(), 0, arrivals_.size(), stream_);
  if (auto room = room_for_index(static_cast<std::size_t>(options_.max_rows) * 4 + 4096); !room) return room;
  return room_for_outputs(static_cast<std::size_t>(std::min(options_.max_rows, options_.max_sequences)));
}

std::size_t CudaPlan::arrival_counters() const {
  std::size_t each = 1;
  for (std::uint32_t i = segment_.first_node; i < segment_.end_node; ++i) {
    const auto* params = std::get_if<AttentionParams>(&graph_.nodes[i].params);
    if (params != nullptr) each = std::max(each, static_cast<std::size_t>(params->heads));
  }
  return each * static_cast<std::size_t>(options_.max_rows);
}

Result<> CudaPlan::room_for_outputs(std::size_t rows) {
  if (rows <= output_room_) return {};
  for (auto& [shape, captured] : captured_) {  // they name the memory that is replaced
    if (captured.graph != nullptr) cudaGraphExecDestroy(captured.graph);
  }
  captured_.clear();
  for (Slot& slot : slots_) {
    if (slot.rows != Rows::output) continue;
    slot.memory = {};
    auto memory = DeviceMemory::allocate(slot.width * rows * sizeof(float), "logits");
    if (!memory) return tl::unexpected(memory.error());
    slot.memory = std::move(*memory);
  }
  auto positions = DeviceMemory::allocate(rows * sizeof(int), "positions");
  if (!positions) return tl::unexpected(positions.error());
  output_positions_ = std::move(*positions);
  for (Rope& rope : ropes_) {
    auto turns =
        DeviceMemory::allocate(rows * static_cast<std::size_t>(rope.pairs) * sizeof(float2), "angles");
    if (!turns) return tl::unexpected(turns.error());
    rope.output_turns = std::move(*turns);
  }
  if (segment_.outputs.empty()) {
    logits_ = {};
    auto pinned = PinnedMemory::allocate(
        rows * static_cast<std::size_t>(graph_.values[graph_.logits].width) * sizeof(float), "logits");
    if (!pinned) return tl::unexpected(pinned.error());
    logits_ = std::move(*pinned);
  }
  auto best = DeviceMemory::allocate(rows * (sizeof(unsigned long long) + sizeof(int)), "draws");
  if (!best) return tl::unexpected(best.error());
  best_ = std::move(*best);
  cudaMemsetAsync(best_.as(), 0, best_.size(), stream_);
  drawn_ = {};
  auto drawn = PinnedMemory::allocate(rows * sizeof(int), "tokens");
  if (!drawn) return tl::unexpected(drawn.error());
  drawn_ = std::move(*drawn);
  output_room_ = rows;
  return {};
}

Result<> CudaPlan::room_for_index(std::size_t ints) {
  if (ints * sizeof(int) <= index_memory_.size()) return {};
  for (auto& [shape, captured] : captured_) {
    if (captured.graph != nullptr) cudaGraphExecDestroy(captured.graph);
  }
  captured_.clear();
  const std::size_t bytes = ints * 2 * sizeof(int);
  auto memory = DeviceMemory::allocate(bytes, "page tables");
  if (!memory) return tl::unexpected(memory.error());
  auto host = PinnedMemory::allocate(bytes, "page tables");
  if (!host) return tl::unexpected(host.error());
  index_memory_ = std::move(*memory);
  index_host_ = std::move(*host);
  return {};
}

Result<MemoryEstimate> CudaPlan::estimate(const Segment& segment, std::span<const Weight> weights,
                                          const PlanOptions& options) {
  if (auto checked = check_options(segment, options); !checked) return tl::unexpected(checked.error());
  if (weights.size() != segment.graph->weights.size())
    return fail(Error::Code::invalid, "weights do not match the graph");
  CudaPlan plan(0, segment, options);
  plan.program_ = program_of(plan.segment_, weights);
  plan.place_values();
  MemoryEstimate needed{DeviceWeights::bytes_for(segment, weights), 0, kPartialFloats * sizeof(float)};
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    const Node& node = plan.graph_.nodes[i];
    if (node.op() == Op::attention && options.kv_codec != nullptr)
      needed.state += state_bytes(plan.graph_.states[static_cast<std::size_t>(node.state)], options);
  }
  const auto rows = static_cast<std::size_t>(options.max_rows),
             outputs = static_cast<std::size_t>(std::min(options.max_rows, options.max_sequences));
  for (const Slot& slot : plan.slots_)
    needed.scratch += slot.width * (slot.rows == Rows::batch ? rows : outputs) * sizeof(float);
  needed.scratch += scratch_sizes(plan.graph_, plan.program_, weights, rows).total();
  return needed;
}

}  // namespace pensieve::hal::cuda
