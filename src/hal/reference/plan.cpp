// Compiling a segment and running it. The ops themselves are one file each.
#include "hal/reference/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "hal/batch_check.h"
#include "hal/reference/buffer.h"
#include "hal/reference/ops.h"

namespace pensieve::hal::reference {
namespace {

Result<> check_options(const PlanOptions& options) {
  if (options.page_tokens > 0 && options.page_count >= 0 && options.max_rows > 0 && options.max_sequences > 0)
    return {};
  return fail(
      Error::Code::invalid,
      fmt::format(
          "plan options: {} tokens a page, {} pages, {} rows, {} sequences; all but pages must be positive",
          options.page_tokens, options.page_count, options.max_rows, options.max_sequences));
}

Result<> check_segment(const Segment& segment) {
  const Graph& graph = *segment.graph;
  if (auto valid = validate(graph); !valid) return valid;
  if (segment.first_node > segment.end_node || segment.end_node > graph.nodes.size()) {
    return fail(Error::Code::invalid, fmt::format("segment of nodes {} to {} in a graph of {}",
                                                  segment.first_node, segment.end_node, graph.nodes.size()));
  }
  for (const auto* values : {&segment.inputs, &segment.outputs}) {
    for (const std::uint32_t value : *values) {
      if (value < graph.values.size()) continue;
      return fail(Error::Code::invalid,
                  fmt::format("segment names value {}, the graph has {}", value, graph.values.size()));
    }
  }
  return {};
}

tl::unexpected<Error> no_memory(const char* what) {
  return fail(Error::Code::exhausted,
              fmt::format("no memory for {}; use fewer rows in a batch or a smaller context", what));
}

}  // namespace

ReferencePlan::ReferencePlan(const Segment& segment, const PlanOptions& options, std::int32_t threads)
    : graph_(*segment.graph),
      first_node_(segment.first_node),
      end_node_(segment.end_node),
      inputs_(segment.inputs),
      outputs_(segment.outputs),
      options_(options),
      threads_(std::max(threads, 1)) {}

Result<std::unique_ptr<Plan>> ReferencePlan::compile(const Segment& segment, std::span<const Weight> weights,
                                                     const PlanOptions& options, std::int32_t threads) {
  if (auto checked = check_options(options); !checked) return tl::unexpected(checked.error());
  if (auto checked = check_segment(segment); !checked) return tl::unexpected(checked.error());
  try {
    auto loaded = Weights::load(segment, weights);
    if (!loaded) return tl::unexpected(loaded.error());
    auto values = Activations::plan(segment);
    if (!values) return tl::unexpected(values.error());
    std::unique_ptr<ReferencePlan> plan(new ReferencePlan(segment, options, threads));
    plan->weights_ = std::move(*loaded);
    plan->values_ = std::move(*values);
    if (auto opened = plan->open_state(); !opened) return tl::unexpected(opened.error());
    return plan;
  } catch (const std::bad_alloc&) {
    return no_memory("the plan");
  }
}

Result<> ReferencePlan::open_state() {
  std::vector<std::vector<std::int32_t>> states(graph_.state_groups);
  layer_.assign(graph_.states.size(), 0);
  windows_ = windows_of({&graph_, first_node_, end_node_, {}, {}});
  for (std::uint32_t i = first_node_; i < end_node_; ++i) {
    const Node& node = graph_.nodes[i];
    if (node.op() == Op::embed) reads_tokens_ = true;
    if (!std::holds_alternative<AttentionParams>(node.params)) continue;
    const std::uint32_t group = graph_.states[static_cast<std::size_t>(node.state)].group;
    layer_[static_cast<std::size_t>(node.state)] = states[group].size();
    states[group].push_back(node.state);
  }
  for (std::uint32_t group = 0; group < graph_.state_groups; ++group) {
    auto opened = KvPages::open(graph_, group, states[group], options_);
    if (!opened) return tl::unexpected(opened.error());
    pages_.push_back(std::move(*opened));
  }
  auto slots = SlotStore::open({&graph_, first_node_, end_node_, {}, {}}, options_);
  if (!slots) return tl::unexpected(slots.error());
  slots_ = std::move(*slots);
  return {};
}

std::size_t ReferencePlan::row_count(std::uint32_t value) const {
  return graph_.values[value].rows == Rows::batch ? rows_ : output_rows_;
}

InputRows ReferencePlan::input(const Node& node, std::size_t index) {
  const std::uint32_t value = node.inputs[index];
  return {values_.data(value), row_count(value), static_cast<std::size_t>(graph_.values[value].width)};
}

std::span<const std::int32_t> ReferencePlan::table_indices(const EmbedParams& params, const Batch& batch) {
  if (params.index == EmbedParams::Index::token) return batch.tokens;
  if (params.index == EmbedParams::Index::position) return batch.positions;
  if (!batch.segments.empty()) return batch.segments;
  zeros_.assign(rows_, 0);
  return zeros_;
}

Result<> ReferencePlan::run_node(const Node& node, const Batch& batch) {
  float* out = values_.data(node.output);
  const std::size_t elements =
      row_count(node.output) * static_cast<std::size_t>(graph_.values[node.output].width);
  const auto vector = [&](std::size_t index) {
    return index < node.weights.size() ? weights_.vector(node.weights[index]) : std::span<const float>();
  };
  switch (node.op()) {
    case Op::embed:
      embed(weights_.matrix(node.weights[0]), table_indices(std::get<EmbedParams>(node.params), batch), out);
      break;
    case Op::linear:
      if (std::get<LinearParams>(node.params).blocks > 1) {
        linear_blocks(weights_.stack(node.weights[0]), input(node, 0), threads_, out);
        break;
      }
      linear(weights_.matrix(node.weights[0]), vector(1), input(node, 0), threads_, out);
      break;
    case Op::norm:
      norm(std::get<NormParams>(node.params), vector(0), vector(1), input(node, 0), out);
      break;
    case Op::rope: {
      const bool all_rows = graph_.values[node.output].rows == Rows::batch;
      const std::span<const std::int32_t> positions = all_rows ? batch.positions : output_positions_;
      rope(std::get<RopeParams>(node.params), vector(0), positions, input(node, 0), out);
      break;
    }
    case Op::attention: {
      const std::uint32_t group = graph_.states[static_cast<std::size_t>(node.state)].group;
      const AttentionState state{&pages_[group], layer_[static_cast<std::size_t>(node.state)], &batch, group,
                                 threads_};
      return attention(std::get<AttentionParams>(node.params), state, vector(0), input(node, 0),
                       input(node, 1), input(node, 2), out);
    }
    case Op::activate: {
      const auto& params = std::get<ActivateParams>(node.params);
      if (node.inputs.size() > 1) {
        activate_gated(params, input(node, 0), input(node, 1), out);
      } else {
        activate(params, input(node, 0), out);
      }
      break;
    }
    case Op::route:
      route(std::get<RouteParams>(node.params), vector(0), input(node, 0), out);
      break;
    case Op::experts: {
      const auto stack = [&](std::size_t index) { return weights_.stack(node.weights[index]); };
      experts(std::get<ExpertsParams>(node.params),
              {stack(0), stack(1), stack(2), vector(3), vector(4), vector(5)}, input(node, 0), input(node, 1),
              threads_, out);
      break;
    }
    case Op::slice:
      slice(std::get<SliceParams>(node.params), input(node, 0), out);
      break;
    case Op::join:
      join(std::get<JoinParams>(node.params), input(node, 0), input(node, 1), out);
      break;
    case Op::add:
      add(input(node, 0).data, input(node, 1).data, elements, out);
      break;
    case Op::scale:
      scale(std::get<ScaleParams>(node.params), input(node, 0).data, elements, out);
      break;
    case Op::select_rows:
      select_rows(batch.output_rows, input(node, 0), out);
      break;
    case Op::conv:
    case Op::scan:
    case Op::delta:
      run_recurrent(node, batch);
      break;
  }
  return {};
}

void ReferencePlan::run_recurrent(const Node& node, const Batch& batch) {
  float* out = values_.data(node.output);
  const RecurrentState where{&slots_, node.state, &batch, threads_};
  const auto vector = [&](std::size_t index) {
    return index < node.weights.size() ? weights_.vector(node.weights[index]) : std::span<const float>();
  };
  if (const auto* short_conv = std::get_if<ConvParams>(&node.params)) {
    conv(*short_conv, where, vector(0), vector(1), input(node, 0), out);
  } else if (const auto* selective = std::get_if<ScanParams>(&node.params)) {
    scan(*selective, where, {vector(0), vector(1), vector(2)}, input(node, 0), input(node, 1), input(node, 2),
         input(node, 3), out);
  } else {
    delta(std::get<DeltaParams>(node.params), where, {vector(0), vector(1)}, input(node, 0), input(node, 1),
          input(node, 2), input(node, 3), input(node, 4), out);
  }
}

Result<> ReferencePlan::check_buffers(std::span<Buffer* const> buffers,
                                      const std::vector<std::uint32_t>& values, const char* direction) const {
  if (buffers.size() != values.size()) {
    return fail(Error::Code::invalid,
                fmt::format("{} {} buffers for a segment with {}", buffers.size(), direction, values.size()));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t needed =
        row_count(values[i]) * static_cast<std::size_t>(graph_.values[values[i]].width) * sizeof(float);
    if (dynamic_cast<HostBuffer*>(buffers[i]) == nullptr || buffers[i]->size() < needed) {
      return fail(Error::Code::invalid,
                  fmt::format("{} buffer {} is not one of this backend with {} bytes", direction, i, needed));
    }
  }
  return {};
}

Result<> ReferencePlan::submit(const Batch& batch, std::span<Buffer* const> inputs,
                               std::span<Buffer* const> outputs) {
  result_.reset();
  const auto written = [this](std::uint32_t group, std::int32_t page) { return pages_[group].written(page); };
  const BatchRules rules{"reference", graph_, options_, reads_tokens_, windows_, written};
  if (auto checked = check_batch(batch, rules); !checked) return checked;
  if (auto taken = slots_.take(batch); !taken) return taken;
  rows_ = batch.tokens.size();
  output_rows_ = batch.output_rows.size();
  if (auto checked = check_buffers(inputs, inputs_, "input"); !checked) return checked;
  if (auto checked = check_buffers(outputs, outputs_, "output"); !checked) return checked;
  try {
    values_.resize(rows_, output_rows_);
    output_positions_.clear();
    for (const std::int32_t row : batch.output_rows)
      output_positions_.push_back(batch.positions[static_cast<std::size_t>(row)]);
    const auto bytes_of = [this](std::uint32_t value) {
      return row_count(value) * static_cast<std::size_t>(graph_.values[value].width) * sizeof(float);
    };
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const auto bytes = static_cast<HostBuffer*>(inputs[i])->bytes();
      if (const std::size_t size = bytes_of(inputs_[i]); size > 0)
        std::memcpy(values_.data(inputs_[i]), bytes.data(), size);
    }
    for (std::uint32_t i = first_node_; i < end_node_; ++i) {
      if (auto ran = run_node(graph_.nodes[i], batch); !ran) return ran;
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const auto bytes = static_cast<HostBuffer*>(outputs[i])->writable();
      if (const std::size_t size = bytes_of(outputs_[i]); size > 0)
        std::memcpy(bytes.data(), values_.data(outputs_[i]), size);
    }
  } catch (const std::bad_alloc&) {
    return no_memory("a step");
  }
  result_.emplace();
  if (values_.holds(graph_.logits)) {
    result_->logits = {values_.data(graph_.logits),
                       output_rows_ * static_cast<std::size_t>(graph_.output_width())};
  }
  return {};
}

Result<StepOutput> ReferencePlan::wait() {
  if (!result_) return fail(Error::Code::invalid, "there is no step to wait for: submit one first");
  const StepOutput output = *result_;
  result_.reset();
  return output;
}

}  // namespace pensieve::hal::reference
