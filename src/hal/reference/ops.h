// Every op of core/graph.h as a plain function on row-major f32 arrays; definitions and shapes: core/ops/*.h.
// Nothing here checks its arguments: the plan has (graph at compile, batch at submit).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/batch.h"
#include "core/graph.h"
#include "hal/reference/kv_pages.h"
#include "hal/slot_store.h"

namespace pensieve::hal::reference {

struct WeightMatrix {
  const Codec* codec = nullptr;
  const unsigned char* bytes = nullptr;
  std::size_t rows = 0, columns = 0;
  const unsigned char* row(std::size_t index) const { return bytes + index * codec->row_bytes(columns); }
};

// Matrices of one shape: one, the blocks of a linear, or the experts of a layer.
using MatrixStack = std::span<const WeightMatrix>;

struct InputRows {
  const float* data = nullptr;
  std::size_t rows = 0, width = 0;
  const float* row(std::size_t index) const { return data + index * width; }
};

// What attention reads besides its inputs.
struct AttentionState {
  KvPages* pages = nullptr;  // of the state's group
  std::size_t layer = 0;     // index of the state within the group
  const Batch* batch = nullptr;
  std::uint32_t group = 0;
  std::int32_t threads = 1;
};

// `indices`: one row of the table for each row of the batch.
void embed(const WeightMatrix& table, std::span<const std::int32_t> indices, float* out);
// `bias` has matrix.rows elements, or none.
void linear(const WeightMatrix& matrix, std::span<const float> bias, InputRows in, std::int32_t threads,
            float* out);
// As many pieces of a row as there are blocks, each times its own matrix.
void linear_blocks(MatrixStack blocks, InputRows in, std::int32_t threads, float* out);
void norm(const NormParams& params, std::span<const float> weight, std::span<const float> bias, InputRows in,
          float* out);
void rope(const RopeParams& params, std::span<const float> factors, std::span<const std::int32_t> positions,
          InputRows in, float* out);
// Writes keys and values first; fails only for want of memory. `sinks` has one score a head, or none.
Result<> attention(const AttentionParams& params, const AttentionState& state, std::span<const float> sinks,
                   InputRows q, InputRows k, InputRows v, float* out);
void activate(const ActivateParams& params, InputRows in, float* out);
void activate_gated(const ActivateParams& params, InputRows gate, InputRows in, float* out);
void add(const float* a, const float* b, std::size_t elements, float* out);
void scale(const ScaleParams& params, const float* in, std::size_t elements, float* out);
void route(const RouteParams& params, std::span<const float> bias, InputRows scores, float* out);
struct ExpertWeights {
  MatrixStack gate, up, down;
  std::span<const float> gate_bias, up_bias, down_bias;  // [experts * rows], or none
};
void experts(const ExpertsParams& params, const ExpertWeights& weights, InputRows x, InputRows chosen,
             std::int32_t threads, float* out);
void slice(const SliceParams& params, InputRows in, float* out);
void join(const JoinParams& params, InputRows a, InputRows b, float* out);
void select_rows(std::span<const std::int32_t> wanted, InputRows in, float* out);

// What recurrent ops read and write besides their rows.
struct RecurrentState {
  SlotStore* slots = nullptr;
  std::int32_t state = -1;
  const Batch* batch = nullptr;
  std::int32_t threads = 1;
};
// `weight` is [width, taps].
void conv(const ConvParams& params, const RecurrentState& where, std::span<const float> weight,
          std::span<const float> bias, InputRows x, float* out);
struct ScanWeights {
  std::span<const float> decay, step_bias, skip;  // [heads]: A, dt_bias, D
};
void scan(const ScanParams& params, const RecurrentState& where, const ScanWeights& weights, InputRows x,
          InputRows b, InputRows c, InputRows dt, float* out);
struct DeltaWeights {
  std::span<const float> decay, step_bias;  // [value heads]: A, a_bias
};
void delta(const DeltaParams& params, const RecurrentState& where, const DeltaWeights& weights, InputRows q,
           InputRows k, InputRows v, InputRows a, InputRows b, float* out);

}  // namespace pensieve::hal::reference
