// From the rows of a text to its one vector: which rows a model that makes embeddings needs, and their
// reduction. Not for running the model: embedder.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/graph.h"

namespace pensieve::engine {

// First row of `count` whose result the pooling needs, and how many from there on.
struct PooledRows {
  std::int64_t first = 0, count = 0;
};
PooledRows pooled_rows(Pooling pooling, std::int64_t count);

// `rows` are those of pooled_rows, `width` wide. Sums in double precision, in order of rows.
std::vector<float> pool(Pooling pooling, std::span<const float> rows, std::size_t width);

// To length 1; a vector of zeros stays.
void normalise(std::span<float> vector);

}  // namespace pensieve::engine
