// CpuPlan: compiling, steps and state. How phases run is in run_linear.cpp, run_attention.cpp and
// run_rows.cpp.
#include "hal/cpu/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hal/batch_check.h"
#include "hal/cpu/buffer.h"

namespace pensieve::hal::cpu {

CpuPlan::~CpuPlan() {
  if (in_flight_) pool_->join();
}

void CpuPlan::run(int worker) {
  prepare_step(worker);
  for (std::size_t i = 0; i < program_.phases.size(); ++i) run_phase(i, worker);
}

// Rows are prepared in as many shares as there are workers; who takes which share does not matter.
void CpuPlan::prepare_step(int worker) {
  if (!ropes_.empty() || !inputs_.empty())
    pool_->stage(worker, pool_->workers(), [this](int part) { prepare_share(part); });
}

void CpuPlan::prepare_share(int part) {
  const Range rows = share(rows_, part);
  for (std::size_t i = 0; i < ropes_.size(); ++i) {
    for (int row = rows.begin; row < rows.end; ++row) {
      const std::int64_t at = row * ropes_[i].params().rotary_width;
      ropes_[i].fill(batch_.positions[static_cast<std::size_t>(row)], cosines_[i] + at, sines_[i] + at);
    }
  }
  if (part == 0) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Value& value = values_[segment_.inputs[i]];
      const auto bytes = static_cast<std::size_t>(row_count(value.rows)) *
                         static_cast<std::size_t>(value.width) * sizeof(float);
      if (bytes > 0) std::memcpy(value.data, static_cast<const HostBuffer&>(*inputs_[i]).data(), bytes);
    }
  }
}

void CpuPlan::run_phase(std::size_t index, int worker) {
  const Phase& phase = program_.phases[index];
  if (const auto* linear = std::get_if<LinearPhase>(&phase)) {
    run_linear(*linear, linear_needs_[index], worker);
  } else if (const auto* attention = std::get_if<AttentionPhase>(&phase)) {
    run_attention(*attention, worker);
  } else {
    const auto& other = std::get<NodePhase>(phase);
    const Node& node = graph_.nodes[other.node];
    if (node.op() == Op::experts) return run_experts(node, worker);
    if (node.op() == Op::linear) return run_blocks(node, worker);
    if (node.op() == Op::conv || node.op() == Op::scan || node.op() == Op::delta)
      return run_recurrent(node, worker);
    float* space = scratch_[static_cast<std::size_t>(worker)].row;
    pool_->stage(worker, pool_->workers(), [&](int part) { run_node(other, part, space); });
  }
}

Result<> CpuPlan::check(const Batch& batch) const {
  const auto reads_tokens = [&](const Phase& phase) {
    const auto* node = std::get_if<NodePhase>(&phase);
    return node != nullptr && graph_.nodes[node->node].op() == Op::embed;
  };
  const bool embeds = std::any_of(program_.phases.begin(), program_.phases.end(), reads_tokens);
  return check_batch(batch, {"cpu", graph_, options_, embeds, windows_, {}});
}

Result<> CpuPlan::submit(const Batch& batch, std::span<Buffer* const> inputs,
                         std::span<Buffer* const> outputs) {
  if (in_flight_)
    return fail(Error::Code::internal, "submit: the step before is still in flight; wait for it first");
  if (inputs.size() != segment_.inputs.size() || outputs.size() != segment_.outputs.size()) {
    return fail(Error::Code::invalid,
                fmt::format("{} inputs and {} outputs for a segment with {} and {}", inputs.size(),
                            outputs.size(), segment_.inputs.size(), segment_.outputs.size()));
  }
  if (auto checked = check(batch); !checked) return checked;
  if (auto taken = slots_.take(batch); !taken) return taken;
  rows_ = batch.rows();
  output_count_ = static_cast<int>(batch.output_rows.size());
  const auto holds = [&](Buffer* buffer, std::uint32_t value) {
    const auto* host = dynamic_cast<const HostBuffer*>(buffer);
    const ValueSpec& spec = graph_.values[value];
    return host != nullptr && host->size() >= static_cast<std::size_t>(row_count(spec.rows)) *
                                                  static_cast<std::size_t>(spec.width) * sizeof(float);
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!holds(inputs[i], segment_.inputs[i]))
      return fail(Error::Code::invalid, fmt::format("input {} is too small", i));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!holds(outputs[i], segment_.outputs[i]))
      return fail(Error::Code::invalid, fmt::format("output {} is too small", i));
  }
  batch_ = batch;
  inputs_ = inputs;
  outputs_ = outputs;
  one_row_each_ = true;
  for (std::int32_t s = 0; s < batch.sequences(); ++s) {
    const auto at = static_cast<std::size_t>(s);
    const std::int32_t begin = batch.sequence_starts[at], end = batch.sequence_starts[at + 1];
    one_row_each_ = one_row_each_ && end - begin <= 1;
    for (std::int32_t row = begin; row < end; ++row) {
      row_sequence_[static_cast<std::size_t>(row)] = s;
      for (std::uint32_t group = 0; group < graph_.state_groups; ++group) {
        if (windows_[group] == kKeepsNoState) continue;
        const PageTable& table = batch.page_tables[group];
        const std::int32_t page = batch.positions[static_cast<std::size_t>(row)] / options_.page_tokens;
        kv_.touch(group, table.pages[static_cast<std::size_t>(table.starts[at] + page)]);
      }
    }
  }
  in_flight_ = true;
  pool_->start([](void* plan, int worker) { static_cast<CpuPlan*>(plan)->run(worker); }, this);
  return {};
}

Result<StepOutput> CpuPlan::wait() {
  if (!in_flight_) return fail(Error::Code::internal, "wait: no step is in flight");
  pool_->join();
  in_flight_ = false;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Value& value = values_[segment_.outputs[i]];
    const auto bytes = static_cast<std::size_t>(row_count(value.rows)) *
                       static_cast<std::size_t>(value.width) * sizeof(float);
    std::uint8_t* to = static_cast<HostBuffer&>(*outputs_[i]).writable();
    if (to == nullptr && bytes > 0)
      return fail(Error::Code::invalid, fmt::format("output {} is read-only", i));
    if (bytes > 0) std::memcpy(to, value.data, bytes);
  }
  StepOutput output;
  const Value* logits = graph_.logits < values_.size() ? &values_[graph_.logits] : nullptr;
  if (segment_.outputs.empty() && logits != nullptr && logits->data != nullptr)
    output.logits = {logits->data,
                     static_cast<std::size_t>(output_count_) * static_cast<std::size_t>(logits->width)};
  return output;
}

Result<> CpuPlan::check_page(std::uint32_t group, std::int32_t page, std::size_t bytes) const {
  if (in_flight_) return fail(Error::Code::internal, "state cannot be handled while a step is in flight");
  if (group >= graph_.state_groups || windows_[group] == kKeepsNoState)
    return fail(Error::Code::invalid, fmt::format("this plan keeps no state of group {}", group));
  if (page < 0 || page >= options_.page_count)
    return fail(Error::Code::invalid,
                fmt::format("page {} of group {}, but there are {} pages", page, group, options_.page_count));
  if (bytes != page_bytes(group))
    return fail(Error::Code::invalid, fmt::format("{} bytes for a page of {}", bytes, page_bytes(group)));
  return {};
}

Result<> CpuPlan::copy_state(std::span<const StateCopy> copies) {
  for (const StateCopy& copy : copies) {
    if (keeps_slots(copy.group)) {
      if (in_flight_) return fail(Error::Code::internal, "state cannot be copied while a step is in flight");
      if (auto copied = slots_.copy(copy.from, copy.to); !copied) return copied;
      continue;
    }
    for (const std::int32_t page : {copy.from, copy.to}) {
      if (auto checked = check_page(copy.group, page, page_bytes(copy.group)); !checked) return checked;
    }
    kv_.copy_page(copy.group, copy.from, copy.to);
  }
  return {};
}

Result<> CpuPlan::save_page(std::uint32_t group, std::int32_t page, std::span<std::byte> out) {
  if (keeps_slots(group) && !in_flight_) return slots_.save(page, out);
  if (auto checked = check_page(group, page, out.size()); !checked) return checked;
  kv_.save_page(group, page, out.data());
  return {};
}

Result<> CpuPlan::restore_page(std::uint32_t group, std::int32_t page, std::span<const std::byte> in) {
  if (keeps_slots(group) && !in_flight_) return slots_.restore(page, in);
  if (auto checked = check_page(group, page, in.size()); !checked) return checked;
  kv_.restore_page(group, page, in.data());
  return {};
}

MemoryEstimate CpuPlan::memory() const {
  return {weights_.bytes(), kv_.bytes_touched() + slots_.bytes_touched(), scratch_bytes_};
}

}  // namespace pensieve::hal::cpu
