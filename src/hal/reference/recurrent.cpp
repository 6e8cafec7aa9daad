// conv, scan and delta: token by token, each column or head of a sequence on its own, with sums in double
// precision over f32 state.
#include <algorithm>
#include <cmath>

#include "hal/reference/ops.h"
#include "hal/reference/parallel.h"

namespace pensieve::hal::reference {
namespace {

double softplus(double x) {
  return x > 20.0 ? x : std::log1p(std::exp(x));
}

// Calls run(state of the sequence, its first row, its end) for each sequence with rows and each item of it.
template <class Run>
void each_sequence(const RecurrentState& where, std::size_t elements, std::size_t items, double operations,
                   Run run) {
  const auto sequences = static_cast<std::size_t>(where.batch->sequences());
  run_parallel(where.threads, sequences * items, operations, [&](std::size_t, std::size_t unit) {
    const std::size_t s = unit / items;
    const auto begin = static_cast<std::size_t>(where.batch->sequence_starts[s]),
               end = static_cast<std::size_t>(where.batch->sequence_starts[s + 1]);
    if (begin == end) return;
    const std::size_t share = elements / items;
    float* state = where.slots->state(where.state, where.batch->slots[s]) + unit % items * share;
    if (where.batch->positions[begin] == 0) std::fill_n(state, share, 0.0F);
    run(unit % items, state, begin, end);
  });
}

}  // namespace

// A column's state: its last taps - 1 inputs, oldest first.
void conv(const ConvParams& params, const RecurrentState& where, std::span<const float> weight,
          std::span<const float> bias, InputRows x, float* out) {
  const auto taps = static_cast<std::size_t>(params.taps), kept = taps - 1;
  const auto operations = static_cast<double>(x.rows * x.width * taps);
  each_sequence(where, x.width * kept, x.width, operations,
                [&](std::size_t column, float* state, std::size_t begin, std::size_t end) {
                  for (std::size_t row = begin; row < end; ++row) {
                    const float newest = x.row(row)[column];
                    double sum = bias.empty() ? 0.0 : static_cast<double>(bias[column]);
                    for (std::size_t j = 0; j < taps; ++j) {
                      const float input = j < kept ? state[j] : newest;
                      sum += static_cast<double>(weight[column * taps + j]) * static_cast<double>(input);
                    }
                    out[row * x.width + column] = static_cast<float>(sum);
                    std::copy(state + 1, state + kept, state);
                    state[kept - 1] = newest;
                  }
                });
}

// A head's state: [head_width][state_width].
void scan(const ScanParams& params, const RecurrentState& where, const ScanWeights& weights, InputRows x,
          InputRows b, InputRows c, InputRows dt, float* out) {
  const auto heads = static_cast<std::size_t>(params.heads),
             width = static_cast<std::size_t>(params.head_width),
             state_width = static_cast<std::size_t>(params.state_width),
             sharing = heads / static_cast<std::size_t>(params.groups);
  const auto operations = static_cast<double>(x.rows * x.width * state_width);
  each_sequence(where, heads * width * state_width, heads, operations,
                [&](std::size_t head, float* state, std::size_t begin, std::size_t end) {
                  for (std::size_t row = begin; row < end; ++row) {
                    const double wanted = softplus(static_cast<double>(dt.row(row)[head]) +
                                                   static_cast<double>(weights.step_bias[head]));
                    const double step = std::clamp(wanted, static_cast<double>(params.step_low),
                                                   static_cast<double>(params.step_high));
                    const double decay = std::exp(step * static_cast<double>(weights.decay[head]));
                    const float* in = b.row(row) + head / sharing * state_width;
                    const float* read = c.row(row) + head / sharing * state_width;
                    for (std::size_t p = 0; p < width; ++p) {
                      const auto value = static_cast<double>(x.row(row)[head * width + p]);
                      double sum = static_cast<double>(weights.skip[head]) * value;
                      for (std::size_t n = 0; n < state_width; ++n) {
                        float& kept = state[p * state_width + n];
                        kept = static_cast<float>(static_cast<double>(kept) * decay +
                                                  step * value * static_cast<double>(in[n]));
                        sum += static_cast<double>(kept) * static_cast<double>(read[n]);
                      }
                      out[row * x.width + head * width + p] = static_cast<float>(sum);
                    }
                  }
                });
}

// A value head's state: [value_width][key_width].
void delta(const DeltaParams& params, const RecurrentState& where, const DeltaWeights& weights, InputRows q,
           InputRows k, InputRows v, InputRows a, InputRows b, float* out) {
  const auto heads = static_cast<std::size_t>(params.value_heads),
             width = static_cast<std::size_t>(params.value_width),
             key_width = static_cast<std::size_t>(params.key_width);
  const auto operations = static_cast<double>(3 * v.rows * v.width * key_width);
  each_sequence(
      where, heads * width * key_width, heads, operations,
      [&](std::size_t head, float* state, std::size_t begin, std::size_t end) {
        const auto key_head = static_cast<std::size_t>(params.key_head_of(static_cast<std::int64_t>(head)));
        for (std::size_t row = begin; row < end; ++row) {
          const double step =
              softplus(static_cast<double>(a.row(row)[head]) + static_cast<double>(weights.step_bias[head]));
          const double decay = std::exp(step * static_cast<double>(weights.decay[head]));
          const double strength = 1.0 / (1.0 + std::exp(-static_cast<double>(b.row(row)[head])));
          const float* key = k.row(row) + key_head * key_width;
          const float* query = q.row(row) + key_head * key_width;
          for (std::size_t p = 0; p < width; ++p) {
            float* kept = state + p * key_width;
            double known = 0.0, sum = 0.0;
            for (std::size_t n = 0; n < key_width; ++n)
              known += static_cast<double>(kept[n]) * decay * static_cast<double>(key[n]);
            const double change = strength * (static_cast<double>(v.row(row)[head * width + p]) - known);
            for (std::size_t n = 0; n < key_width; ++n) {
              kept[n] = static_cast<float>(static_cast<double>(kept[n]) * decay +
                                           change * static_cast<double>(key[n]));
              sum += static_cast<double>(kept[n]) * static_cast<double>(query[n]);
            }
            out[row * v.width + head * width + p] = static_cast<float>(sum);
          }
        }
      });
}

}  // namespace pensieve::hal::reference
