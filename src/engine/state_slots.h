// StateSlots: the slots of recurrent state of a plan. Each running sequence has one that its steps overwrite;
// the others keep checkpoints: the state at the end of a cached page, so that a prompt with the same
// beginning goes on from there. Not for what a slot holds nor for the pages themselves (page_store.h):
// whoever hands out a page for new tokens tells so. Thread rule: the engine's thread only.
#pragma once

#include <cstdint>
#include <vector>

namespace pensieve::engine {

class StateSlots {
 public:
  static constexpr std::int32_t kNone = -1;

  // No slots: the model keeps no recurrent state, and nothing here is ever asked.
  StateSlots(std::int32_t slot_count, std::int32_t page_count);

  bool used() const { return !page_of_.empty(); }
  void reset();  // every slot free; cannot fail

  // For a sequence; gives up the checkpoint that was of no use longest when none is free. kNone when
  // sequences have them all.
  std::int32_t take();
  void give_back(std::int32_t slot);

  // The slot with the state at the end of `page`, or kNone.
  std::int32_t checkpoint_of(std::int32_t page) const { return slot_of_[static_cast<std::size_t>(page)]; }
  void used_again(std::int32_t slot);  // last in line to be given up
  // The slot that shall hold the state at the end of `page`, which has none yet; kNone when none is to spare.
  std::int32_t add(std::int32_t page);
  void forget(std::int32_t page);  // what was kept with it, if anything
  void forget_all();

  std::int32_t free_count() const { return static_cast<std::int32_t>(free_.size()); }
  std::int32_t checkpoints() const { return checkpoints_; }

 private:
  std::int32_t free_one();

  std::vector<std::int32_t> free_;       // a stack: low numbers first, memory grows with use
  std::vector<std::int32_t> slot_of_;    // [pages]
  std::vector<std::int32_t> page_of_;    // [slots] of checkpoints, else kNone
  std::vector<std::uint64_t> last_use_;  // [slots]
  std::uint64_t uses_ = 0;
  std::int32_t checkpoints_ = 0;
};

}  // namespace pensieve::engine
