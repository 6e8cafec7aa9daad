// Passes over a whole row of logits, written so that a compiler can turn them into vector instructions: the
// row has up to a few hundred thousand numbers, and each sequence has one in every step. Not for selection:
// candidates.h.
#pragma once

#include <cstdint>
#include <span>

namespace pensieve::engine {

// NaN becomes -inf, +inf the largest float.
void clean_row(std::span<const float> logits, std::span<float> cleaned);

// Index of the first of the largest values, NaN skipped; -1 when all are NaN or -inf.
std::int32_t arg_max(std::span<const float> values);

// weights[i] = exp((values[i] - largest) / temperature), relative error below 2e-7, 0 below e^-87; answers
// their sum. `largest` is the largest of values, which are clean.
double exponentials(std::span<const float> values, float largest, float temperature,
                    std::span<float> weights);

}  // namespace pensieve::engine
