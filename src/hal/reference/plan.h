// ReferencePlan: runs the nodes of a segment one after another, in f32, exactly as the graph says.
// No fusion and no repacking: it is what every other backend is judged by.
#pragma once

#include <optional>
#include <vector>

#include "core/backend.h"
#include "hal/reference/activations.h"
#include "hal/reference/kv_pages.h"
#include "hal/reference/weights.h"
#include "hal/slot_store.h"

namespace pensieve::hal::reference {

// submit does the whole step; wait hands out its result. A step's rows do not depend on one another beyond
// attention within a sequence, nor on the thread count: results are the same bit for bit in any batch.
class ReferencePlan final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> compile(const Segment& segment, std::span<const Weight> weights,
                                               const PlanOptions& options, std::int32_t threads);

  Result<> submit(const Batch& batch, std::span<Buffer* const> inputs,
                  std::span<Buffer* const> outputs) override;
  Result<StepOutput> wait() override;
  Result<> copy_state(std::span<const StateCopy> copies) override;
  std::size_t page_bytes(std::uint32_t group) const override;
  Result<> save_page(std::uint32_t group, std::int32_t page, std::span<std::byte> out) override;
  Result<> restore_page(std::uint32_t group, std::int32_t page, std::span<const std::byte> in) override;
  MemoryEstimate memory() const override;

  static Result<MemoryEstimate> estimate(const Segment& segment, std::span<const Weight> weights,
                                         const PlanOptions& options);

 private:
  ReferencePlan(const Segment& segment, const PlanOptions& options, std::int32_t threads);
  Result<> open_state();
  Result<> check_buffers(std::span<Buffer* const> buffers, const std::vector<std::uint32_t>& values,
                         const char* direction) const;
  Result<> check_page(std::uint32_t group, std::int32_t page) const;
  std::span<const std::int32_t> table_indices(const EmbedParams& params, const Batch& batch);
  Result<> run_node(const Node& node, const Batch& batch);
  void run_recurrent(const Node& node, const Batch& batch);
  std::size_t row_count(std::uint32_t value) const;
  InputRows input(const Node& node, std::size_t index);

  Graph graph_;
  std::uint32_t first_node_, end_node_;
  std::vector<std::uint32_t> inputs_, outputs_;
  PlanOptions options_;
  std::int32_t threads_;
  Weights weights_;
  Activations values_;
  std::vector<KvPages> pages_;  // [state groups]
  SlotStore slots_;
  std::vector<std::size_t> layer_;     // [graph states]: index within its group's pages
  std::vector<std::int64_t> windows_;  // [state groups] of windows_of
  bool reads_tokens_ = false;
  std::size_t rows_ = 0, output_rows_ = 0;      // of the step in flight
  std::vector<std::int32_t> output_positions_;  // positions of the output rows
  std::vector<std::int32_t> zeros_;             // a row index for each row of the batch
  std::optional<StepOutput> result_;
};

}  // namespace pensieve::hal::reference
