// delta: the gated delta rule, token by token in order of position, for each value head:
// S = exp(A * softplus(a + a_bias)) * S; u = sigmoid(b) * (v - S^T k); S = S + k u^T; out = S^T q. S is
// [key_width, value_width] and 0 before position 0. Queries and keys come normalised and scaled. Value head h
// reads key head h / (value_heads / key_heads), or with `tiled` h % key_heads. Source: arXiv 2412.06464.
// Shape: q and k [rows, key_heads * key_width], v [rows, value_heads * value_width], a and b [rows,
// value_heads] -> [rows, value_heads * value_width]. Weights: A (negative), a_bias, each f32 [value_heads].
// State: recurrent.
#pragma once
#include <cstdint>
namespace pensieve {
struct DeltaParams {
  std::int64_t key_heads = 0, value_heads = 0, key_width = 0, value_width = 0;
  bool tiled = false;
  std::int64_t key_head_of(std::int64_t head) const {
    return tiled ? head % key_heads : head / (value_heads / key_heads);
  }
};
}  // namespace pensieve
