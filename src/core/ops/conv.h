// conv: a short causal convolution over a sequence, each column on its own: out[t][c] = bias[c] + sum over j
// in [0, taps) of W[c][j] * x[t - taps + 1 + j][c]; before a sequence's first position x is 0. The terms are
// added in that order, so how a prompt is cut changes nothing. Shape: [rows, width] -> [rows, width].
// Weights: W [width, taps], then optionally bias [width]. State: recurrent, the last taps - 1 rows of x.
#pragma once
#include <cstdint>
namespace pensieve {
struct ConvParams {
  std::int64_t taps = 0;
};
}  // namespace pensieve
