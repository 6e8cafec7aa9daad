// The mean, or one row.
#include "engine/pooling.h"

#include <cmath>

namespace pensieve::engine {

PooledRows pooled_rows(Pooling pooling, std::int64_t count) {
  if (pooling == Pooling::mean) return {0, count};
  return {pooling == Pooling::last || pooling == Pooling::rank_last ? count - 1 : 0, 1};
}

std::vector<float> pool(Pooling pooling, std::span<const float> rows, std::size_t width) {
  if (pooling != Pooling::mean) return {rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(width)};
  const std::size_t count = rows.size() / width;
  std::vector<float> mean(width);
  for (std::size_t column = 0; column < width; ++column) {
    double sum = 0.0;
    for (std::size_t row = 0; row < count; ++row) sum += static_cast<double>(rows[row * width + column]);
    mean[column] = static_cast<float>(sum / static_cast<double>(count));
  }
  return mean;
}

void normalise(std::span<float> vector) {
  double squares = 0.0;
  for (const float x : vector) squares += static_cast<double>(x) * static_cast<double>(x);
  if (squares == 0.0) return;
  const double inverse = 1.0 / std::sqrt(squares);
  for (float& x : vector) x = static_cast<float>(static_cast<double>(x) * inverse);
}

}  // namespace pensieve::engine
