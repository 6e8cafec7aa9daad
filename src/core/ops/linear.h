// linear: out[r] = W x[r] (+ bias), W stored as [out features, in features] in any codec, bias in f32.
// With blocks > 1 a row is that many pieces, each with a matrix of its own: W is [blocks, out / blocks, in /
// blocks] (the heads of latent attention); no bias then. Shape: [rows, in] -> [rows, out]. Weights: W, then
// optionally bias.
#pragma once
#include <cstdint>
namespace pensieve {
struct LinearParams {
  std::int64_t blocks = 1;
};
}  // namespace pensieve
