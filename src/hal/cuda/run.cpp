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

Form form_of(Stored stored, int rows) {
  if (stored == Stored::f32) return Form::f32;
  if (rows > kGemvRows) return Form::bf16;
  return stored == Stored::f16 || stored == Stored::bf16 || stored == Stored::blocks ? Form::f32 : Form::q8;
}

}  // namespace

void CudaPlan::run_phases() {
  if (shape_.outputs > 0 && !ropes_.empty()) {
    gather_positions(index(layout_.positions), index(layout_.output_rows), shape_.outputs,
                     output_positions_.as<int>(), stream_);
  }
  for (const Rope& rope : ropes_) {
    rope_turns(rope.angles.as<double>(), rope.pairs, rope.magnitude, index(layout_.positions), shape_.rows,
               rope.turns.as<float2>(), stream_);
    if (shape_.outputs > 0) {
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
  Prepared prepared{form, width, plain_stride(width), nullptr, nullptr};
  switch (form) {
    case Form::f32:
      prepared.data = plain_input_.as();
      break;
    case Form::q8:
      prepared.data = small_input_.as();
      prepared.meta = small_meta_.as();
      break;
    case Form::bf16:
      prepared.data = bfloat_input_.as();
      break;
  }
  return prepared;
}

void CudaPlan::run(const hal::LinearPhase& phase) {
  const int rows = row_count(phase.input), width = static_cast<int>(graph_.values[phase.input].width);
  if (rows == 0) return;
  NormArgs norm_arguments;
  if (phase.norm_node >= 0)
    norm_arguments = norm_args(graph_.nodes[static_cast<std::size_t>(phase.norm_node)]);
  std::vector<bool> done(phase.parts.size(), false);
  for (std::size_t first = 0; first < phase.parts.size(); ++first) {
    if (done[first]) continue;
    const Form form = form_of(weights_.matrix(phase.parts[first].weight).stored, rows);
    LinearLaunch launch;
    launch.rows = rows;
    launch.partials = partials_.as<float>();
    launch.partial_floats = partials_.size() / sizeof(float);
    launch.multiprocessors = multiprocessors_;
    launch.input = prepared_input(form, width);
    if (form == Form::f32 && phase.norm_node < 0 && launch.input.stride == width) {
      launch.input.data = data(phase.input);
    } else {
      prepare(data(phase.input), rows, width, norm_arguments, launch.input, stream_);
    }
    for (std::size_t group = first; group < phase.parts.size();
         ++group) {  // those that take this form, kind by kind
      const Stored stored = weights_.matrix(phase.parts[group].weight).stored;
      if (done[group] || form_of(stored, rows) != form) continue;
      launch.part_count = 0;
      for (std::size_t i = group; i < phase.parts.size() && launch.part_count < kMostParts; ++i) {
        const hal::LinearPart& part = phase.parts[i];
        if (done[i] || weights_.matrix(part.weight).stored != stored) continue;
        done[i] = true;
        LinearPart& made = launch.parts[launch.part_count++];
        made = {};
        made.weight = weights_.matrix(part.weight);
        if (part.bias >= 0) made.bias = weights_.vector(static_cast<std::uint32_t>(part.bias));
        if (part.paired >= 0) made.paired = weights_.matrix(static_cast<std::uint32_t>(part.paired));
        if (part.paired_bias >= 0)
          made.paired_bias = weights_.vector(static_cast<std::uint32_t>(part.paired_bias));
        if (part.residual >= 0) made.residual = data(static_cast<std::uint32_t>(part.residual));
        made.activation = act_of(part.activation);
        made.out = data(part.out);
      }
      if (form != Form::bf16) {
        linear_vector(launch, stream_);
      } else {
        for (int i = 0; i < launch.part_count; ++i) run_part_as_matrix(launch.parts[i], launch);
      }
      if (!done[group]) --group;  // more parts of this kind than one launch takes
    }
  }
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
  store_kv(a, stream_);
  if (shape_.tiles > 0) {
    a.tiles = reinterpret_cast<const int2*>(index(layout_.tiles));
    a.tile_count = shape_.tiles;
    attend_tiled(a, stream_);
    if (shape_.listed == 0) return;
    a.row_list = index(layout_.row_list);
    a.listed = shape_.listed;
  }
  const int rows = a.row_list != nullptr ? a.listed : a.rows, busy = 4 * multiprocessors_;
  const std::size_t each = static_cast<std::size_t>(a.rows) * static_cast<std::size_t>(a.heads) *
                           static_cast<std::size_t>(a.state.value_width + 2);
  const int wanted =
      static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::max(1, busy / (rows * a.state.kv_heads)))));
  const auto fitting =
      static_cast<int>(std::min<std::size_t>(kMostSplits, partials_.size() / sizeof(float) / each));
  a.splits = std::max(1, std::min({wanted, fitting, shape_.splits}));
  attend(a, stream_);
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
      break;  // refused before: hal/plain_ops.h
  }
}

}  // namespace pensieve::hal::cuda
