// CpuPlan: a segment compiled for this processor: packed weights, fused phases, scratch for the largest
// batch. Nothing is allocated in a step. The phases are pure data (fusion.h); how each kind runs is in
// run_*.cpp.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/backend.h"
#include "hal/cpu/kernels.h"
#include "hal/cpu/kv_store.h"
#include "hal/cpu/region.h"
#include "hal/cpu/rope_table.h"
#include "hal/cpu/weight_store.h"
#include "hal/fusion.h"
#include "hal/slot_store.h"
#include "util/thread_pool.h"

namespace pensieve::hal::cpu {

// Thread rule: as Plan says; inside, all workers of the pool run the phases together.
class CpuPlan final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> compile(const Kernels& kernels, int threads, const Segment& segment,
                                               std::span<const Weight> weights, const PlanOptions& options);
  static Result<MemoryEstimate> estimate(const Kernels& kernels, int threads, const Segment& segment,
                                         std::span<const Weight> weights, const PlanOptions& options);
  ~CpuPlan() override;

  Result<> submit(const Batch& batch, std::span<Buffer* const> inputs,
                  std::span<Buffer* const> outputs) override;
  Result<StepOutput> wait() override;
  Result<> copy_state(std::span<const StateCopy> copies) override;
  std::size_t page_bytes(std::uint32_t group) const override {
    return group == graph_.slot_group() ? slots_.slot_bytes() : kv_.page_bytes(group);
  }
  Result<> save_page(std::uint32_t group, std::int32_t page, std::span<std::byte> out) override;
  Result<> restore_page(std::uint32_t group, std::int32_t page, std::span<const std::byte> in) override;
  MemoryEstimate memory() const override;

  const Program& program() const { return program_; }

 private:
  struct Value {
    float* data = nullptr;  // [rows][width]
    int width = 0;
    Rows rows = Rows::batch;
  };
  struct LinearNeeds {                       // of a linear phase
    bool quantized = false, floats = false;  // panels
    int groups = 0;                          // of all parts together
    int blocks = 0;                          // most lines in a row of its panels
  };
  struct Panels {
    QuantLine* quantized = nullptr;
    FloatLine* floats = nullptr;
  };
  struct AttentionSizes {  // the largest of all attention phases
    std::size_t key_lines = 0, value_columns = 0, row = 0, kv_heads = 0;
  };
  // One worker's own memory.
  struct Scratch {
    Panels panels;           // kLocalRows rows
    float* row = nullptr;    // the widest value
    float* group = nullptr;  // two decoded groups of a matrix that is not packed
    FloatLine* queries = nullptr;
    float* turned = nullptr;  // a key head's queries and key after rope
    float* scores = nullptr;
    float* outs = nullptr;   // [kAttendTile][value columns]
    float* state = nullptr;  // [kBlockVectors][value columns + 2]
    const std::uint8_t** keys = nullptr;
    const std::uint8_t** values = nullptr;
  };
  // What experts and linears in blocks work in; all workers share it.
  struct Stacks {
    Panels panels;             // both forms, a line's worth for each row and expert or block
    float* hidden = nullptr;   // [pairs][inner]
    float* results = nullptr;  // [pairs][the larger of inner and out]
    int* starts = nullptr;     // [experts + 1] first pair of each expert
    int* next = nullptr;       // [experts]
    int* pair_row = nullptr;   // [pairs]
    int* row_pairs = nullptr;  // [rows][used], -1: none
  };
  struct StackSizes {  // the largest of all phases
    std::size_t quantized = 0, floats = 0, hidden = 0, results = 0, pairs = 0, experts = 0;
  };
  struct StackOut {
    float* data;
    int width;
  };
  struct PairRows {  // the input of each pair: its own row, or that of the batch
    const float* data;
    bool by_pair;
  };
  // One unit of attention work: query vectors of one key head of one sequence, over one split or all.
  struct Unit {
    int sequence = 0, head = 0;
    int first_vector = 0, vectors = 0;   // vector v is row v / group, head v % group of the key head
    int first_split = 0, end_split = 0;  // to be done by this unit
    int slot = -1;                       // where partial results go; -1: the unit does all splits itself
    int all_splits = 1, first_of_all = 0;
  };

  CpuPlan(const Kernels& kernels, const Segment& segment, const PlanOptions& options);
  Result<> build(std::span<const Weight> weights, int threads);
  Result<> place_all(std::span<const Weight> weights, int workers);
  Result<> place_values(std::span<const std::uint32_t> inputs);
  Result<> place_scratch(int workers);
  template <class Walk>
  void walk_scratch(Walk& walk);
  void measure_phases();
  void measure_stack(const Node& node);
  Result<> check(const Batch& batch) const;
  Result<> check_page(std::uint32_t group, std::int32_t page, std::size_t bytes) const;
  bool keeps_slots(std::uint32_t group) const { return slots_.used() && group == graph_.slot_group(); }

  int row_count(Rows rows) const { return rows == Rows::batch ? rows_ : output_count_; }
  struct Range {
    int begin, end;
  };
  Range share(int count, int part) const;  // part of as many as there are workers

  void run(int worker);
  void prepare_step(int worker);
  void prepare_share(int part);
  void run_phase(std::size_t index, int worker);

  void run_linear(const LinearPhase& phase, const LinearNeeds& needs, int worker);
  void fill_panels(const LinearPhase& phase, const LinearNeeds& needs, Range rows, int row_count,
                   const Panels& panels, float* normalised) const;
  void run_groups(const LinearPhase& phase, Range groups, Range rows, const Panels& panels,
                  float* decoded) const;
  void call_linear(const LinearPart& part, Range groups, Range rows, const Panels& panels,
                   float* decoded) const;
  void multiply(const Matrix& matrix, const Matrix* paired, LinearCall call, Range groups,
                float* decoded) const;
  void multiply_decoded(const Matrix& matrix, const Matrix* paired, LinearCall call, Range groups,
                        float* decoded) const;
  void put_line(const float* x, int width, const LinearNeeds& needs, int row, int row_count,
                const Panels& panels) const;
  NormCall norm_call(const Node& node) const;

  void run_attention(const AttentionPhase& phase, int worker);
  // The unit of that index; when there are fewer, false, and `index` is less by their number.
  bool find_unit(const AttentionParams& params, int& index, Unit& unit) const;
  int count_units(const AttentionParams& params) const;
  void turn_and_store_rows(const AttentionPhase& phase, int part);
  void store_token(const AttentionPhase& phase, int sequence, int head, int position, const float* key,
                   const float* value);
  const float* fused_queries(const AttentionPhase& phase, const Unit& unit, Scratch& scratch);
  void run_unit(const AttentionPhase& phase, const Unit& unit, bool fused, Scratch& scratch);
  void run_split(const AttentionPhase& phase, const Unit& unit, int split, int tile_first, int tile,
                 const FloatLine* queries, float* maxima, float* sums, Scratch& scratch) const;
  void finish_unit(const AttentionPhase& phase, const Unit& unit, Scratch& scratch);
  void write_outputs(const AttentionPhase& phase, const Unit& unit, const float* state) const;

  static LinearNeeds needs_of(const Matrix& matrix);
  static Panels panels_at(const Panels& panels, const LinearNeeds& needs, int line);
  Range cut(int count, int piece) const;
  template <class Take>
  void cut_stage(int worker, Take take);
  template <class Each>
  void cut_experts(int experts, int groups, int piece, Each each) const;
  void list_pairs(const Node& node);
  void fill_pairs(PairRows rows, int width, const LinearNeeds& needs, int experts, int piece);
  void run_experts(const Node& node, int worker);
  void run_stacked(const Node& node, std::size_t weight, int expert, Range groups, StackOut out,
                   float* decoded) const;
  void run_gate_and_up(const Node& node, int expert, Range groups, float* decoded) const;
  void sum_pairs(const Node& node, int row);
  void run_blocks(const Node& node, int worker);
  void multiply_blocks(const Node& node, Range groups, float* decoded) const;

  void run_recurrent(const Node& node, int worker);
  void run_conv(const Node& node, float* state, bool fresh, Range rows, int block) const;
  void run_scan(const Node& node, float* state, bool fresh, Range rows, int unit) const;
  void run_delta(const Node& node, float* state, bool fresh, Range rows, int unit) const;

  float sink_share(const Node& node, int head, float maximum) const;
  void run_node(const NodePhase& phase, int part, float* space);
  int table_row(const EmbedParams& params, std::size_t row) const;
  void run_norm(const Node& node, const float* x, float* out) const;
  void run_gate(const ActivateParams& params, const float* a, int gates, const float* b, int width,
                float* out) const;
  static void run_join(const JoinParams& params, const Value& a, const Value& b, int row, float* out);
  void rope_row(std::int32_t rope, int row, float* x, int heads) const;

  Kernels kernels_;
  Graph graph_;
  Segment segment_;  // of graph_
  PlanOptions options_;
  Program program_;
  std::unique_ptr<util::ThreadPool> pool_;
  WeightStore weights_;
  KvStore kv_;
  SlotStore slots_;
  std::vector<RopeTable> ropes_;
  std::vector<Value> values_;              // [graph values]
  std::vector<LinearNeeds> linear_needs_;  // [phases]
  std::vector<std::int64_t> windows_;      // [state groups] of windows_of
  Region value_memory_, logits_memory_, scratch_memory_;
  std::size_t scratch_bytes_ = 0;  // touched by a full batch
  Panels shared_panels_;
  std::vector<Scratch> scratch_;         // [workers]
  std::vector<float*> cosines_, sines_;  // [ropes][max_rows][rotary_width]
  AttentionSizes attention_;
  Stacks stacks_;
  StackSizes stack_sizes_;
  float* partials_ = nullptr;  // [kPartialSlots][partial_floats_]
  std::size_t partial_floats_ = 0;
  std::unique_ptr<std::atomic<int>[]> finished_;  // [max_sequences][kv heads] splits done

  // The step in flight.
  bool in_flight_ = false;
  Batch batch_;
  std::vector<int> row_sequence_;  // [max_rows]
  std::span<Buffer*const> inputs_, outputs_;
  int rows_ = 0, output_count_ = 0;
  bool one_row_each_ = false;  // no sequence has more than one row
};

// Where a row lies in a panel: tiles of the largest size, then ever smaller powers of two.
struct PanelRow {
  int tile_first, tile_rows;
};
PanelRow locate(int row, int rows, int max_tile);

inline constexpr int kLocalRows =
    4;  // up to so many rows each worker makes the panel for itself, without a stage before
inline constexpr int kFewRows = 8;        // up to so many rows the work is cut by groups alone
inline constexpr int kBlockVectors = 32;  // query vectors that walk over the splits together
inline constexpr int kPartialSlots = 4096;

}  // namespace pensieve::hal::cpu
