// attention: writes k and v of the batch's rows into the paged state, then for each row attends over its own
// sequence: out = softmax(scale * q k^T (soft-capped)) v over positions p with position - window < p <=
// position. Grouped heads: query head h reads key head h / (heads / kv_heads). All of a sequence's earlier
// positions are in the state. Not causal (encoders): every row sees all positions of its sequence, which must
// come whole in one batch. Sinks: each head has one more score, the same for every row, that takes its share
// of the softmax and gives nothing. Shape: q [rows, heads * key_width], k [rows, kv_heads * key_width], v
// [rows, kv_heads * value_width]
//        -> [rows, heads * value_width]. Weights: optionally sinks, f32 [heads]. State: one paged_kv.
#pragma once
#include <cstdint>
namespace pensieve {
struct AttentionParams {
  std::int64_t heads = 0, kv_heads = 0, key_width = 0, value_width = 0;
  float scale = 0.0F;
  std::int64_t window = 0;  // 0: all earlier positions
  float soft_cap = 0.0F;    // 0: none; else scores become cap * tanh(score / cap)
  bool causal = true;
};
}  // namespace pensieve
