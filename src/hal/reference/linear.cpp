// linear: each weight row is decoded once for a step and multiplied with every row of the batch.
// Activations stay f32; an output element depends on its own input row and weight row only.
#include <algorithm>

#include "hal/reference/dot.h"
#include "hal/reference/ops.h"
#include "hal/reference/parallel.h"

namespace pensieve::hal::reference {
namespace {

constexpr std::size_t kRowsAtOnce = 8;  // weight rows that share one pass over the inputs

}  // namespace

void linear(const WeightMatrix& matrix, std::span<const float> bias, InputRows in, std::int32_t threads,
            float* out) {
  const std::size_t blocks = (matrix.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const std::size_t worker_floats = kRowsAtOnce * matrix.columns;
  std::vector<float> decoded(worker_floats * static_cast<std::size_t>(threads));
  const double operations = static_cast<double>(matrix.rows) * static_cast<double>(matrix.columns) *
                            static_cast<double>(in.rows + 1);
  run_parallel(threads, blocks, operations, [&](std::size_t worker, std::size_t block) {
    float* weights = decoded.data() + worker * worker_floats;
    const std::size_t first = block * kRowsAtOnce, end = std::min(matrix.rows, first + kRowsAtOnce);
    for (std::size_t o = first; o < end; ++o) {
      decode_row(*matrix.codec, matrix.row(o), matrix.columns, weights + (o - first) * matrix.columns);
    }
    for (std::size_t r = 0; r < in.rows; ++r) {
      for (std::size_t o = first; o < end; ++o) {
        const float product = dot(weights + (o - first) * matrix.columns, in.row(r), matrix.columns);
        out[r * matrix.rows + o] = bias.empty() ? product : product + bias[o];
      }
    }
  });
}

void linear_blocks(MatrixStack blocks, InputRows in, std::int32_t threads, float* out) {
  const WeightMatrix& one = blocks.front();
  const double operations =
      static_cast<double>(one.rows * one.columns * blocks.size()) * static_cast<double>(in.rows + 1);
  std::vector<std::vector<float>> decoded(static_cast<std::size_t>(threads));
  for (std::vector<float>& row : decoded) row.resize(one.columns);
  run_parallel(threads, blocks.size(), operations, [&](std::size_t worker, std::size_t block) {
    for (std::size_t o = 0; o < one.rows; ++o) {
      float* weights = decoded[worker].data();
      decode_row(*one.codec, blocks[block].row(o), one.columns, weights);
      for (std::size_t r = 0; r < in.rows; ++r) {
        out[(r * blocks.size() + block) * one.rows + o] =
            dot(weights, in.row(r) + block * one.columns, one.columns);
      }
    }
  });
}

}  // namespace pensieve::hal::reference
