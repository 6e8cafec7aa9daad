// add: out = a + b, element by element (residual connections).
// Shape: [rows, width] twice -> [rows, width]. Weights: none.
#pragma once
namespace pensieve {
struct AddParams {};
}  // namespace pensieve
