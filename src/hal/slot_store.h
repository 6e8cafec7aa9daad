// SlotStore: the recurrent states of a segment in numbered slots, one slot a sequence or checkpoint. Not an
// allocator of slot numbers: the engine hands those out. Memory grows with the slots that are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "core/backend.h"

namespace pensieve::hal {

// Thread rule: distinct (state, slot) pairs may be written at once; everything else alone.
class SlotStore {
 public:
  static Result<SlotStore> open(const Segment& segment, const PlanOptions& options);
  static std::size_t bytes_of(const Segment& segment,
                              const PlanOptions& options);  // that all slots would take

  bool used() const { return slot_elements_ > 0; }
  std::size_t slot_bytes() const { return slot_elements_ * sizeof(float); }
  float* state(std::int32_t state, std::int32_t slot) const {
    return memory_.get() + static_cast<std::size_t>(slot) * slot_elements_ +
           offsets_[static_cast<std::size_t>(state)];
  }
  // The slots of a batch: as many as sequences, in range, distinct, written before they are continued. Marks
  // them as written.
  Result<> take(const Batch& batch);

  Result<> copy(std::int32_t from, std::int32_t to);
  Result<> save(std::int32_t slot, std::span<std::byte> out) const;
  Result<> restore(std::int32_t slot, std::span<const std::byte> in);
  std::size_t bytes_touched() const;

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  Result<> check(std::int32_t slot, std::size_t bytes, bool read) const;

  std::size_t slot_elements_ = 0;
  std::vector<std::size_t> offsets_;    // [graph states] within a slot
  std::vector<bool> written_;           // [slots]
  std::vector<std::int32_t> taken_in_;  // [slots] the batch that took it last, to find doubles
  std::int32_t batches_ = 0;
  std::unique_ptr<float, Free> memory_;  // zero pages until touched
};

}  // namespace pensieve::hal
