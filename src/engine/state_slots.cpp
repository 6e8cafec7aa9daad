// StateSlots: a stack of free slots and a search for the oldest checkpoint: there are tens of them, and it is
// looked for once in many steps.
#include "engine/state_slots.h"

#include <algorithm>

namespace pensieve::engine {

StateSlots::StateSlots(std::int32_t slot_count, std::int32_t page_count)
    : slot_of_(static_cast<std::size_t>(slot_count > 0 ? page_count : 0), kNone),
      page_of_(static_cast<std::size_t>(slot_count), kNone),
      last_use_(static_cast<std::size_t>(slot_count), 0) {
  free_.reserve(page_of_.size());
  reset();
}

void StateSlots::reset() {
  std::fill(slot_of_.begin(), slot_of_.end(), kNone);
  std::fill(page_of_.begin(), page_of_.end(), kNone);
  checkpoints_ = 0;
  free_.clear();
  for (auto slot = static_cast<std::int32_t>(page_of_.size()); slot-- > 0;) free_.push_back(slot);
}

std::int32_t StateSlots::free_one() {
  if (free_.empty()) {
    std::int32_t oldest = kNone;
    for (std::int32_t slot = 0; slot < static_cast<std::int32_t>(page_of_.size()); ++slot) {
      const auto at = static_cast<std::size_t>(slot);
      if (page_of_[at] == kNone) continue;
      if (oldest == kNone || last_use_[at] < last_use_[static_cast<std::size_t>(oldest)]) oldest = slot;
    }
    if (oldest == kNone) return kNone;
    forget(page_of_[static_cast<std::size_t>(oldest)]);
  }
  const std::int32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

std::int32_t StateSlots::take() {
  return free_one();
}

void StateSlots::give_back(std::int32_t slot) {
  free_.push_back(slot);
}

void StateSlots::used_again(std::int32_t slot) {
  last_use_[static_cast<std::size_t>(slot)] = ++uses_;
}

std::int32_t StateSlots::add(std::int32_t page) {
  const std::int32_t slot = free_one();
  if (slot == kNone) return kNone;
  slot_of_[static_cast<std::size_t>(page)] = slot;
  page_of_[static_cast<std::size_t>(slot)] = page;
  ++checkpoints_;
  used_again(slot);
  return slot;
}

void StateSlots::forget(std::int32_t page) {
  std::int32_t& slot = slot_of_[static_cast<std::size_t>(page)];
  if (slot == kNone) return;
  page_of_[static_cast<std::size_t>(slot)] = kNone;
  free_.push_back(slot);
  slot = kNone;
  --checkpoints_;
}

void StateSlots::forget_all() {
  for (const std::int32_t page : std::vector<std::int32_t>(page_of_)) {
    if (page != kNone) forget(page);
  }
}

}  // namespace pensieve::engine
