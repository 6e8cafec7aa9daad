// The launches of a step, phase by phase. Everything they depend on is in the plan, the step's shape and the
// index data, so that they can be captured once and replayed.
#include <algorithm>
#include <bit>

#include "hal/cuda/plan.h"

namespace pensieve::hal::cuda {
namespace {

Act act_of(hal::Activation activation) {
  switch (activation) {
    case hal::Activation::none:
      return Act::none;
    case hal::Activation::silu:
      return Act::silu;
    case hal::Activation::gelu:
      return Act::gelu;
    case hal::Activation::gelu_tanh:
      return Act::gelu_tanh;
    case hal::Activation::relu:
      return Act::relu;
    case hal::Activation::relu_squared:
    case hal::Activation::sigmoid:
    case hal::Activation::tanh:
      break;  // refused before: hal/plain_ops.h
  }
  return Act::none;
}

bool in_vectors(Stored stored, int rows) {
  return stored == Stored::f32 || (stored == Stored::blocks && rows <= kStreamRows);
}

// In launches of as many parts as one takes.
template <class Start>
void start_parts(LinearLaunch launch, const std::vector<LinearPart>& parts, Start start) {
  for (std::size_t first = 0; first < parts.size(); first += kMostParts) {
    launch.part_count = static_cast<int>(std::min<std::size_t>(kMostParts, parts.size() - first));
    std::copy_n(parts.begin() + static_cast<std::ptrdiff_t>(first), launch.part_count, launch.parts);
    start(launch);
  }
}

}  // namespace

void CudaPlan::run_phases() {
  if (shape_.outputs > 0 && turns_outputs_) {
    gather_positions(index(layout_.positions), index(layout_.output_rows), shape_.outputs,
                     output_positions_.as<int>(), stream_);
  }
  for (const Rope& rope : ropes_) {
    rope_turns(rope.angles.as<double>(), rope.pairs, rope.magnitude, index(layout_.positions), shape_.rows,
               rope.turns.as<float2>(), stream_);
    if (shape_.outputs > 0 && turns_outputs_) {
      rope_turns(rope.angles.as<double>(), rope.pairs, rope.magnitude, output_positions_.as<int>(),
                 shape_.outputs, rope.output_turns.as<float2>(), stream_);
    }
  }
  for (const hal::Phase& phase : program_.phases) {
    std::visit([this](const auto& kind) { run(kind); }, phase);
  }
}

NormArgs CudaPlan::norm_args(const Node& node) const {
  const auto& params = std::get<NormParams>(node.params);
  NormArgs args;
  args.present = true;
  args.layer = params.kind == NormParams::Kind::layer;
  args.epsilon = params.epsilon;
  args.group_width = static_cast<int>(params.group_width);
  if (!node.weights.empty()) args.weight = weights_.vector(node.weights[0]);
  if (node.weights.size() > 1) args.bias = weights_.vector(node.weights[1]);
  return args;
}

RopeArgs CudaPlan::rope_args(std::int32_t rope, Rows rows) const {
  RopeArgs args;
  if (rope < 0) return args;
  const Rope& held = ropes_[static_cast<std::size_t>(rope)];
  args.turns = (rows == Rows::batch ? held.turns : held.output_turns).as<float2>();
  args.head_width = static_cast<int>(held.params.head_width);
  args.rotary_width = static_cast<int>(held.params.rotary_width);
  args.interleaved = held.params.pairing == RopeParams::Pairing::interleaved;
  return args;
}

Prepared CudaPlan::prepared_input(Form form, int width) const {
  Prepared prepared{form, width, plain_stride(width), nullptr};
  switch (form) {
    case Form::f32:
      prepared.data = plain_input_.as();
      break;
    case Form::bf16:
      prepared.data = bfloat_input_.as();
      break;
  }
  return prepared;
}

LinearPart CudaPlan::part_of(const hal::LinearPart& part) const {
  LinearPart made;
  made.weight = weights_.matrix(part.weight);
  if (part.bias >= 0) made.bias = weights_.vector(static_cast<std::uint32_t>(part.bias));
  if (part.paired >= 0) made.paired = weights_.matrix(static_cast<std::uint32_t>(part.paired));
  if (part.paired_bias >= 0) made.paired_bias = weights_.vector(static_cast<std::uint32_t>(part.paired_bias));
  if (part.residual >= 0) made.residual = data(static_cast<std::uint32_t>(part.residual));
  made.activation = act_of(part.activation);
  made.out = data(part.out);
  return made;
}

// Few rows: weights are streamed past the input. Many: tiles of matrices. Parts of one way share a launch.
void CudaPlan::run(const hal::LinearPhase& phase) {
  const int rows = row_count(phase.input), width = static_cast<int>(graph_.values[phase.input].width);
  if (rows == 0) return;
  NormArgs norm;
  if (phase.norm_node >= 0) norm = norm_args(graph_.nodes[static_cast<std::size_t>(phase.norm_node)]);
  std::vector<LinearPart> plain_streams, quantized_streams, vectors, blocks, matrices;
  for (const hal::LinearPart& part : phase.parts) {
    const LinearPart made = part_of(part);
    const Stored stored = made.weight.stored;
    if (stream_fits(made.weight, rows)) {
      (is_plain(stored) ? plain_streams : quantized_streams).push_back(made);
    } else if (in_vectors(stored, rows)) {
      (stored == Stored::f32 ? vectors : blocks).push_back(made);
    } else {
      matrices.push_back(made);
    }
  }
  LinearLaunch launch;
  launch.rows = rows;
  launch.partials = partials_.as<float>();
  launch.partial_floats = partials_.size() / sizeof(float);
  launch.multiprocessors = multiprocessors_;
  if (!plain_streams.empty() || !quantized_streams.empty()) {
    launch.raw = data(phase.input);
    launch.raw_width = width;
    launch.norm = norm;
    if (norm.present && !stream_norm_fits(norm, width)) {
      const Prepared normalized = prepared_input(Form::f32, width);
      prepare(launch.raw, rows, width, norm, normalized, stream_);
      launch.raw = static_cast<const float*>(normalized.data);
      launch.raw_width = normalized.stride;
      launch.norm = {};
    }
    const auto start = [this](const LinearLaunch& l) { linear_stream(l, stream_); };
    start_parts(launch, plain_streams, start);
    start_parts(launch, quantized_streams, start);
  }
  if (!vectors.empty() || !blocks.empty()) {
    launch.input = prepared_input(Form::f32, width);
    if (phase.norm_node < 0 && launch.input.stride == width) {
      launch.input.data = data(phase.input);
    } else {
      prepare(data(phase.input), rows, width, norm, launch.input, stream_);
    }
    const auto start = [this](const LinearLaunch& l) { linear_vector(l, stream_); };
    start_parts(launch, vectors, start);
    start_parts(launch, blocks, start);
  }
  if (matrices.empty()) return;
  launch.input = prepared_input(Form::bf16, width);
  prepare(data(phase.input), rows, width, norm, launch.input, stream_);
  for (const LinearPart& part : matrices) {
    if (!run_wide(part, launch)) run_part_as_matrix(part, launch);
  }
}

bool CudaPlan::run_wide(LinearPart part, const LinearLaunch& launch) {
  if (!wide_ || launch.rows < kWideRows || launch.input.stride != part.weight.stride) return false;
  const std::size_t bytes =
      static_cast<std::size_t>(part.weight.rows) * static_cast<std::size_t>(launch.input.stride) * 2;
  const bool decodes = part.weight.stored != Stored::bf16;
  if (decodes && bytes * (part.paired.quants != nullptr ? 2 : 1) > decoded_.size()) return false;
  if (decodes) {
    std::size_t at = 0;
    for (Matrix* m : {&part.weight, &part.paired}) {
      if (m->quants == nullptr) continue;
      unsigned char* to = decoded_.as() + at;
      decode_to_bf16(*m, to, launch.input.stride, stream_);
      m->stored = Stored::bf16;
      m->stride = launch.input.stride;
      m->row_bytes = static_cast<std::size_t>(launch.input.stride) * 2;
      m->quants = to;
      at += bytes;
    }
  }
  return linear_wide(part, launch.input, launch.rows, stream_);
}

// Matrix products know neither gates nor functions: those follow as passes over the result.
void CudaPlan::run_part_as_matrix(const LinearPart& part, LinearLaunch launch) {
  const std::size_t count =
      static_cast<std::size_t>(launch.rows) * static_cast<std::size_t>(part.weight.rows);
  const auto product = [&](Matrix weight, const float* bias, const float* residual, float* out) {
    if (weight.stored == Stored::blocks) {
      decode_to_bf16(weight, decoded_.as(), launch.input.stride, stream_);
      weight.stored = Stored::bf16;
      weight.stride = launch.input.stride;
      weight.quants = decoded_.as();
      launch.decoded = true;
    }
    launch.part_count = 1;
    launch.parts[0] = {};
    launch.parts[0].weight = weight;
    launch.parts[0].bias = bias;
    launch.parts[0].residual = residual;
    launch.parts[0].out = out;
    linear_matrix(launch, stream_);
  };
  const bool plain = part.activation == Act::none && part.paired.quants == nullptr;
  product(part.weight, part.bias, plain ? part.residual : nullptr, part.out);
  if (plain) return;
  if (part.paired.quants != nullptr) product(part.paired, part.paired_bias, nullptr, second_.as<float>());
  activate(part.activation, part.out, part.paired.quants != nullptr ? second_.as<float>() : nullptr, count,
           part.out, stream_);
  if (part.residual != nullptr) add(part.out, part.residual, count, part.out, stream_);
}

void CudaPlan::run(const hal::AttentionPhase& phase) {
  const Node& node = graph_.nodes[phase.node];
  const auto& params = std::get<AttentionParams>(node.params);
  const State& state = states_[static_cast<std::size_t>(node.state)];
  AttentionLaunch a;
  a.rows = shape_.rows;
  a.sequences = shape_.sequences;
  a.heads = static_cast<int>(params.heads);
  a.scale = params.scale;
  a.soft_cap = params.soft_cap;
  a.window = static_cast<int>(params.window);
  a.state = state.kv;
  a.index = {index(layout_.tokens), index(layout_.positions), index(layout_.row_sequence),
             index(layout_.sequence_starts), index(layout_.output_rows)};
  a.page_starts = index(layout_.page_starts[state.group]);
  a.pages = index(layout_.pages[state.group]);
  a.q = data(phase.q);
  a.k = data(phase.k);
  a.v = data(phase.v);
  a.q_rope = rope_args(phase.q_rope, Rows::batch);
  a.k_rope = rope_args(phase.k_rope, Rows::batch);
  a.out = data(node.output);
  a.partials = partials_.as<float>();
  if (shape_.fresh && fresh_attention_fits(a)) {
    a.arrivals = arrivals_.as<int>();
    a.splits = splits_for(a, a.rows, a.state.kv_heads * fresh_head_chunks(a), 1);
    attend_fresh(a, stream_);
    return;
  }
  store_kv(a, stream_);
  if (shape_.tiles > 0) {
    a.tiles = reinterpret_cast<const int2*>(index(layout_.tiles));
    a.tile_count = shape_.tiles;
    attend_tiled(a, stream_);
    if (shape_.listed == 0) return;
    a.row_list = index(layout_.row_list);
    a.listed = shape_.listed;
  }
  a.splits = splits_for(a, a.row_list != nullptr ? a.listed : a.rows, a.state.kv_heads, 4);
  attend(a, stream_);
}

// As many parts of the visible positions as give each multiprocessor `wanted_each` blocks.
int CudaPlan::splits_for(const AttentionLaunch& a, int rows, int blocks_of_row, int wanted_each) const {
  const std::size_t each = static_cast<std::size_t>(a.rows) * static_cast<std::size_t>(a.heads) *
                           static_cast<std::size_t>(a.state.value_width + 4);
  const int wanted = static_cast<int>(std::bit_ceil(
      static_cast<unsigned>(std::max(1, wanted_each * multiprocessors_ / (rows * blocks_of_row)))));
  const auto fitting =
      static_cast<int>(std::min<std::size_t>(kMostSplits, partials_.size() / sizeof(float) / each));
  return std::max(1, std::min({wanted, fitting, shape_.splits}));
}

void CudaPlan::run(const hal::NodePhase& phase) {
  const Node& node = graph_.nodes[phase.node];
  const int rows = row_count(node.output), width = static_cast<int>(graph_.values[node.output].width);
  if (rows == 0) return;
  const std::size_t count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(width);
  float* out = data(node.output);
  const auto input = [&](std::size_t i) { return data(node.inputs[i]); };
  switch (node.op()) {
    case Op::embed:
      embed(weights_.matrix(node.weights[0]), index(layout_.tokens), rows, out, stream_);
      break;
    case Op::norm:
      norm(input(0), rows, width, norm_args(node), out, stream_);
      break;
    case Op::rope:
      rope(input(0), rows, width, rope_args(phase.rope, graph_.values[node.output].rows), out, stream_);
      break;
    case Op::activate:
      activate(act_of(hal::activation_of(std::get<ActivateParams>(node.params))), input(0),
               node.inputs.size() > 1 ? input(1) : nullptr, count, out, stream_);
      break;
    case Op::add:
      add(input(0), input(1), count, out, stream_);
      break;
    case Op::scale:
      scale(input(0), std::get<ScaleParams>(node.params).factor, count, out, stream_);
      break;
    case Op::select_rows:
      select_rows(input(0), index(layout_.output_rows), rows, width, out, stream_);
      break;
    case Op::linear:
    case Op::attention:
      break;  // have phases of their own
    case Op::route:
    case Op::experts:
    case Op::slice:
    case Op::join:
    case Op::conv:
    case Op::scan:
    case Op::delta:
      break;  // refused before: hal/plain_ops.h
  }
}

}  // namespace pensieve::hal::cuda
