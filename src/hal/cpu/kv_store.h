// KvStore: keys and values of every attention state of a graph, in numbered pages, laid out for the attention
// kernels. Not an allocator of page numbers: the engine hands those out. Memory grows with the pages that are
// written.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/backend.h"
#include "hal/cpu/kernels.h"
#include "hal/cpu/region.h"

namespace pensieve::hal::cpu {

// Thread rule: distinct (page, head) pairs may be written at once; everything else alone.
class KvStore {
 public:
  // `used`: states of the graph that this plan keeps. Fails where the codec cannot keep keys and values.
  static Result<KvStore> open(const Graph& graph, std::span<const std::int32_t> used,
                              const PlanOptions& options, int lanes);
  // Bytes that all pages would take.
  static Result<std::size_t> bytes_of(const Graph& graph, std::span<const std::int32_t> used,
                                      const PlanOptions& options, int lanes);

  KvKind kind() const { return kind_; }
  const KvLayout& layout(std::int32_t state) const { return states_[static_cast<std::size_t>(state)].layout; }
  std::uint8_t* keys(std::int32_t state, std::int32_t page, int head) const {
    const State& kept = states_[static_cast<std::size_t>(state)];
    return kept.region.data() + static_cast<std::size_t>(page) * kept.page_bytes +
           static_cast<std::size_t>(head) * kept.head_bytes;
  }
  std::uint8_t* values(std::int32_t state, std::int32_t page, int head) const {
    return keys(state, page, head) + states_[static_cast<std::size_t>(state)].values_at;
  }

  std::size_t page_bytes(std::uint32_t group) const;
  void copy_page(std::uint32_t group, std::int32_t from, std::int32_t to);
  void save_page(std::uint32_t group, std::int32_t page, std::byte* out) const;
  void restore_page(std::uint32_t group, std::int32_t page, const std::byte* in);

  void touch(std::uint32_t group, std::int32_t page);  // the page is about to be written
  std::size_t bytes_touched() const;

 private:
  struct State {
    std::uint32_t group = 0;
    KvLayout layout{};
    std::size_t values_at = 0, head_bytes = 0, page_bytes = 0;
    Region region;
  };
  static Result<KvStore> plan(const Graph& graph, std::span<const std::int32_t> used,
                              const PlanOptions& options, int lanes);

  KvKind kind_ = KvKind::f16;
  std::vector<State> states_;               // [graph states]; page_bytes 0 for those not used
  std::vector<std::vector<bool>> touched_;  // [state groups][pages]
};

}  // namespace pensieve::hal::cpu
