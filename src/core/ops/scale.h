// scale: out = factor * x (embedding, residual and logit scales).
// Shape: [rows, width] -> [rows, width]. Weights: none.
#pragma once
namespace pensieve {
struct ScaleParams {
  float factor = 1.0F;
};
}  // namespace pensieve
