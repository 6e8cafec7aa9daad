// Graph: what a model computes, as pure data, built once per load; the number of rows stays symbolic.
// model/ emits it, hal/ compiles it, engine/ runs the result. Not an executable: it holds no pointers to
// weights or devices.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/ops/activate.h"
#include "core/ops/add.h"
#include "core/ops/attention.h"
#include "core/ops/embed.h"
#include "core/ops/experts.h"
#include "core/ops/join.h"
#include "core/ops/linear.h"
#include "core/ops/norm.h"
#include "core/ops/rope.h"
#include "core/ops/route.h"
#include "core/ops/scale.h"
#include "core/ops/select_rows.h"
#include "core/ops/slice.h"
#include "core/result.h"

namespace pensieve {

using OpParams = std::variant<EmbedParams, LinearParams, NormParams, RopeParams, AttentionParams,
                              ActivateParams, AddParams, ScaleParams, SelectRowsParams, RouteParams,
                              ExpertsParams, SliceParams, JoinParams>;
// In the order of OpParams, so that the alternative held is the op.
enum class Op : std::uint8_t {
  embed,
  linear,
  norm,
  rope,
  attention,
  activate,
  add,
  scale,
  select_rows,
  route,
  experts,
  slice,
  join
};
const char* op_name(Op op);

// Which rows a value has: every row of the batch, or only those whose logits are wanted.
enum class Rows : std::uint8_t { batch, output };
struct ValueSpec {
  std::int64_t width = 0;  // columns
  Rows rows = Rows::batch;
};

struct Node {
  OpParams params;
  std::vector<std::uint32_t> inputs;   // indices into Graph::values
  std::uint32_t output = 0;            // index into Graph::values; each value has exactly one producer
  std::vector<std::uint32_t> weights;  // indices into Graph::weights
  std::int32_t state = -1;             // index into Graph::states, -1 when the op keeps none
  Op op() const { return static_cast<Op>(params.index()); }
};

// A weight is a tensor of the file, or a run of its rows (fused projections): entries [first, first +
// shape[0]) of the outermost dimension, which has `tensor_rows` entries in all.
struct WeightSpec {
  std::string name;                         // as in the file (GGUF naming)
  std::vector<std::int64_t> shape;          // outermost first; a vector has one entry
  std::int64_t first = 0, tensor_rows = 0;  // 0: the whole tensor
};

// How a model that makes embeddings reduces the rows of a text to one vector. rank: the first row's scores,
// of a model that judges pairs of texts; rank_last: the last row's.
enum class Pooling : std::uint8_t { none, mean, first, last, rank, rank_last };
constexpr bool ranks(Pooling pooling) {
  return pooling == Pooling::rank || pooling == Pooling::rank_last;
}

// Per-sequence memory that an op keeps between steps. The engine hands out pages and slots, the backend lays
// them out.
struct StateSpec {
  enum class Kind : std::uint8_t { paged_kv, latent_kv, recurrent } kind = Kind::paged_kv;
  std::int64_t heads = 0, key_width = 0, value_width = 0;  // per token, for the paged kinds
  std::int64_t window = 0;                                 // tokens that later rows can still see; 0: all
  std::int64_t sequence_elements = 0;                      // recurrent: f32 elements per sequence
  std::uint32_t group = 0;  // states of one group share a page table (same window and kind)
};

struct Graph {
  std::vector<ValueSpec> values;
  std::vector<Node> nodes;  // in an order that can be executed
  std::vector<WeightSpec> weights;
  std::vector<StateSpec> states;
  std::uint32_t state_groups = 0;
  std::vector<std::uint32_t> layer_cuts;  // index of the first node of each layer, for splitting over devices
  std::uint32_t logits = 0;               // value: [output rows, vocabulary], or what is pooled
  std::int64_t vocabulary = 0;
  std::int64_t trained_context = 0;
  Pooling pooling = Pooling::none;
  bool causal = true;               // false: a sequence must come whole in one batch
  std::int64_t position_limit = 0;  // rows of the position table; 0: none
  std::int64_t segments = 1;        // that rows may be told apart by (token types)
  // > 0: the graph holds up to so many tokens of one sequence; beyond, another graph of the same model
  // (longrope).
  std::int64_t regime_context = 0;
  std::vector<std::string>
      unused;  // beginnings of tensor names that the file may hold and the graph does without

  std::int64_t output_width() const { return values[logits].width; }
};

// Checks shapes, indices and order; the answer to a malformed graph names node and op.
Result<> validate(const Graph& graph);

}  // namespace pensieve
