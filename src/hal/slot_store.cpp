// SlotStore: a slot is the states of the segment one after another, so copying one is copying a run of bytes.
#include "hal/slot_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace pensieve::hal {
namespace {

constexpr std::size_t kLine = 16;  // floats: states begin at cache lines

// Of each graph state, its offset in a slot; the answer is the slot's size.
std::size_t lay_out(const Segment& segment, std::vector<std::size_t>& offsets) {
  const Graph& graph = *segment.graph;
  offsets.assign(graph.states.size(), 0);
  std::size_t elements = 0;
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    const std::int32_t state = graph.nodes[i].state;
    if (state < 0 || static_cast<std::size_t>(state) >= graph.states.size()) continue;
    const StateSpec& spec = graph.states[static_cast<std::size_t>(state)];
    if (spec.kind != StateSpec::Kind::recurrent) continue;
    offsets[static_cast<std::size_t>(state)] = elements;
    elements += (static_cast<std::size_t>(spec.sequence_elements) + kLine - 1) / kLine * kLine;
  }
  return elements;
}

}  // namespace

Result<SlotStore> SlotStore::open(const Segment& segment, const PlanOptions& options) {
  SlotStore store;
  store.slot_elements_ = lay_out(segment, store.offsets_);
  if (store.slot_elements_ == 0) return store;
  if (options.slot_count < 1)
    return fail(Error::Code::invalid, "the model keeps recurrent state, but the plan was given no slots");
  const auto slots = static_cast<std::size_t>(options.slot_count);
  store.memory_.reset(static_cast<float*>(std::calloc(slots, store.slot_bytes())));
  if (store.memory_ == nullptr) {
    return fail(Error::Code::exhausted, fmt::format("no memory for {} recurrent states of {} bytes; lower "
                                                    "parallel",
                                                    slots, store.slot_bytes()));
  }
  store.written_.resize(slots);
  store.taken_in_.resize(slots);
  return store;
}

std::size_t SlotStore::bytes_of(const Segment& segment, const PlanOptions& options) {
  std::vector<std::size_t> offsets;
  return lay_out(segment, offsets) * sizeof(float) *
         static_cast<std::size_t>(std::max(options.slot_count, 0));
}

Result<> SlotStore::check(std::int32_t slot, std::size_t bytes, bool read) const {
  if (slot < 0 || static_cast<std::size_t>(slot) >= written_.size())
    return fail(Error::Code::invalid, fmt::format("slot {} of {} recurrent states", slot, written_.size()));
  if (bytes != slot_bytes())
    return fail(Error::Code::invalid,
                fmt::format("{} bytes for a recurrent state of {}", bytes, slot_bytes()));
  if (read && !written_[static_cast<std::size_t>(slot)])
    return fail(Error::Code::invalid, fmt::format("slot {} was never written", slot));
  return {};
}

Result<> SlotStore::take(const Batch& batch) {
  if (!used()) return {};
  if (batch.slots.size() + 1 != batch.sequence_starts.size()) {
    return fail(Error::Code::invalid, fmt::format("batch: {} slots for {} sequences", batch.slots.size(),
                                                  batch.sequence_starts.size() - 1));
  }
  ++batches_;
  for (std::size_t s = 0; s < batch.slots.size(); ++s) {
    const std::int32_t begin = batch.sequence_starts[s];
    if (begin == batch.sequence_starts[s + 1]) continue;
    const bool continues = batch.positions[static_cast<std::size_t>(begin)] > 0;
    if (auto checked = check(batch.slots[s], slot_bytes(), continues); !checked) return checked;
    const auto slot = static_cast<std::size_t>(batch.slots[s]);
    if (taken_in_[slot] == batches_)
      return fail(Error::Code::invalid, fmt::format("batch: two sequences share slot {}", slot));
    taken_in_[slot] = batches_;
  }
  for (std::size_t s = 0; s < batch.slots.size(); ++s) {
    if (batch.sequence_starts[s] < batch.sequence_starts[s + 1])
      written_[static_cast<std::size_t>(batch.slots[s])] = true;
  }
  return {};
}

Result<> SlotStore::copy(std::int32_t from, std::int32_t to) {
  if (auto checked = check(from, slot_bytes(), true); !checked) return checked;
  if (auto checked = check(to, slot_bytes(), false); !checked) return checked;
  if (from == to) return {};
  const auto at = [this](std::int32_t slot) {
    return memory_.get() + static_cast<std::size_t>(slot) * slot_elements_;
  };
  std::memcpy(at(to), at(from), slot_bytes());
  written_[static_cast<std::size_t>(to)] = true;
  return {};
}

Result<> SlotStore::save(std::int32_t slot, std::span<std::byte> out) const {
  if (auto checked = check(slot, out.size(), true); !checked) return checked;
  if (used())
    std::memcpy(out.data(), memory_.get() + static_cast<std::size_t>(slot) * slot_elements_, out.size());
  return {};
}

Result<> SlotStore::restore(std::int32_t slot, std::span<const std::byte> in) {
  if (auto checked = check(slot, in.size(), false); !checked) return checked;
  if (used())
    std::memcpy(memory_.get() + static_cast<std::size_t>(slot) * slot_elements_, in.data(), in.size());
  written_[static_cast<std::size_t>(slot)] = true;
  return {};
}

std::size_t SlotStore::bytes_touched() const {
  const auto slots = std::count(written_.begin(), written_.end(), true);
  return static_cast<std::size_t>(slots) * slot_bytes();
}

}  // namespace pensieve::hal
