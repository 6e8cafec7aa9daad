// CudaPlan: a segment compiled for one GPU: weights laid out, phases fused, scratch for the largest batch. A
// step is one copy of its index data, a run of launches (or the replay of their captured graph), and a copy
// of the logits; the host waits only in wait().
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "core/backend.h"
#include "hal/cuda/kernels.h"
#include "hal/cuda/runtime.h"
#include "hal/cuda/weights.h"
#include "hal/fusion.h"

namespace pensieve::hal::cuda {

// Thread rule: as Plan says. The device of the backend must be current in the calling thread: every entry
// makes it so.
class CudaPlan final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> compile(int device, const Segment& segment,
                                               std::span<const Weight> weights, const PlanOptions& options);
  static Result<MemoryEstimate> estimate(const Segment& segment, std::span<const Weight> weights,
                                         const PlanOptions& options);
  ~CudaPlan() override;

  Result<> submit(const Batch& batch, std::span<Buffer* const> inputs,
                  std::span<Buffer* const> outputs) override;
  Result<StepOutput> wait() override;
  Result<> copy_state(std::span<const StateCopy> copies) override;
  std::size_t page_bytes(std::uint32_t group) const override;
  Result<> save_page(std::uint32_t group, std::int32_t page, std::span<std::byte> out) override;
  Result<> restore_page(std::uint32_t group, std::int32_t page, std::span<const std::byte> in) override;
  MemoryEstimate memory() const override;

 private:
  struct State {  // of one attention node
    std::uint32_t group = 0;
    KvState kv;
    std::size_t key_page_bytes = 0, value_page_bytes = 0;
    DeviceMemory memory;  // all key pages, then all value pages
  };
  struct Rope {  // distinct ones; the turns of all rows are computed once a step
    RopeParams params;
    int pairs = 0;
    double magnitude = 1.0;
    DeviceMemory angles, turns, output_turns;
  };
  struct Slot {  // memory of values that are never alive together
    Rows rows = Rows::batch;
    std::size_t width = 0;
    DeviceMemory memory;
  };
  // What the launches of a step depend on besides the contents of the index data.
  struct StepShape {
    int rows = 0, sequences = 0, outputs = 0, splits = 1, listed = 0, tiles = 0;
    bool fresh = false;                  // one row of each sequence
    std::vector<std::size_t> page_room;  // [state groups]: room for page numbers in the index data
    auto key() const { return std::tie(rows, sequences, outputs, splits, listed, tiles, fresh, page_room); }
    bool operator<(const StepShape& other) const { return key() < other.key(); }
  };
  struct CapturedStep {
    int seen = 0;
    cudaGraphExec_t graph = nullptr;
  };
  struct IndexLayout {  // offsets in ints
    std::size_t tokens = 0, positions = 0, row_sequence = 0, sequence_starts = 0, output_rows = 0,
                row_list = 0, tiles = 0;
    std::vector<std::size_t> page_starts, pages;  // [state groups]
    std::size_t total = 0;
  };

  CudaPlan(int device, const Segment& segment, const PlanOptions& options);
  // compile.cpp
  Result<> open_stream();
  Result<> open_state();
  Result<> open_ropes();
  void place_values();
  Result<> allocate_scratch();
  std::size_t arrival_counters() const;
  Result<> room_for_outputs(std::size_t rows);
  Result<> room_for_index(std::size_t ints);
  // step.cpp
  Result<> check_buffers(std::span<Buffer* const> buffers, const std::vector<std::uint32_t>& values,
                         const char* direction) const;
  StepShape shape_of(const Batch& batch);
  static IndexLayout index_layout(const StepShape& shape);
  Result<> send_index(const Batch& batch);
  Result<> launch_step();
  Result<> run_captured();
  // run.cpp
  void run_phases();
  void run(const hal::LinearPhase& phase);
  void run(const hal::AttentionPhase& phase);
  void run(const hal::NodePhase& phase);
  LinearPart part_of(const hal::LinearPart& part) const;
  bool run_wide(LinearPart part, const LinearLaunch& launch);
  void run_part_as_matrix(const LinearPart& part, LinearLaunch launch);
  int splits_for(const AttentionLaunch& a, int rows, int blocks_of_row, int wanted_each) const;
  Prepared prepared_input(Form form, int width) const;
  NormArgs norm_args(const Node& node) const;
  RopeArgs rope_args(std::int32_t rope, Rows rows) const;
  float* data(std::uint32_t value) const {
    return slots_[static_cast<std::size_t>(slot_of_[value])].memory.as<float>();
  }
  int row_count(std::uint32_t value) const {
    return graph_.values[value].rows == Rows::batch ? shape_.rows : shape_.outputs;
  }
  const int* index(std::size_t at) const { return index_memory_.as<int>() + at; }
  // state.cpp
  Result<> check_page(std::uint32_t group, std::int32_t page) const;
  struct PagePart {
    unsigned char* at;
    std::size_t bytes;
  };
  std::vector<PagePart> page_parts(std::uint32_t group, std::int32_t page) const;

  int device_;
  Graph graph_;
  Segment segment_;
  PlanOptions options_;
  hal::Program program_;
  DeviceWeights weights_;
  std::vector<State> states_;          // [graph states]; without memory for those not used
  std::vector<std::int64_t> windows_;  // [state groups] of windows_of
  std::vector<Rope> ropes_;
  std::vector<Slot> slots_;
  std::vector<std::int32_t> slot_of_;  // [graph values], -1: not kept
  bool reads_tokens_ = false;
  bool turns_outputs_ = false;  // a rotation of output rows alone
  int multiprocessors_ = 1;
  bool wide_ = false;            // the device has wide matrix products
  std::size_t output_room_ = 0;  // rows that output slots hold

  DeviceMemory plain_input_, bfloat_input_, second_, partials_, decoded_, output_positions_;
  DeviceMemory arrivals_;  // zeros between launches: counters of attention and draws
  DeviceMemory best_;      // zeros between launches: for each output row the rank drawn, then counters
  PinnedMemory drawn_;     // tokens
  bool draws_ = false;     // of the step in flight: its tokens are chosen here
  DeviceMemory index_memory_;
  PinnedMemory index_host_, logits_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t done_ = nullptr;
  std::map<StepShape, CapturedStep> captured_;

  StepShape shape_;  // of the step in flight
  IndexLayout layout_;
  std::vector<std::int32_t> row_list_;  // rows that no tile holds
  std::vector<std::int32_t> tiles_;     // pairs: sequence, first row
  std::vector<Buffer*> outputs_;
  bool in_flight_ = false;
};

}  // namespace pensieve::hal::cuda
