// linear: out[r] = W x[r] (+ bias), W stored as [out features, in features] in any codec, bias in f32.
// Shape: [rows, in] -> [rows, out]. Weights: W, then optionally bias.
#pragma once
namespace pensieve {
struct LinearParams {};
}  // namespace pensieve
