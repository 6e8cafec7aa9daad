// Eight independent lanes in each reduction: a fixed order of summation, and nothing a vector unit must wait
// for. Not for one number at a time.
#include "engine/row_math.h"

#include <array>
#include <bit>
#include <cstddef>
#include <limits>

namespace pensieve::engine {
namespace {

constexpr std::size_t kLanes = 8;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

// e^x for kFarBelow <= x <= 0: e^x = 2^k e^r with k = round(x / ln 2), |r| <= ln 2 / 2; ln 2 in two parts
// keeps r exact (Cody and Waite 1980), and seven terms of the series of e^r leave 5e-9. kFarBelow gives k =
// -127, whose bit pattern is zero.
constexpr float kFarBelow = -88.0F;
inline float exponential(float x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float k = (x * 1.44269504F + kRound) - kRound;
  const float r = (x - k * 0.693359375F) + k * 2.12194440e-4F;
  const float high = ((r * (1.0F / 5040) + 1.0F / 720) * r + 1.0F / 120) * r + 1.0F / 24;
  const float series = (((high * r + 1.0F / 6) * r + 0.5F) * r + 1.0F) * r + 1.0F;
  return series * std::bit_cast<float>((static_cast<std::int32_t>(k) + 127) << 23);
}

}  // namespace

void clean_row(std::span<const float> logits, std::span<float> cleaned) {
  constexpr float kHighest = std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float value = logits[i];
    const float bounded = value < kHighest ? value : kHighest;
    cleaned[i] = value != value ? kLowest : bounded;
  }
}

std::int32_t arg_max(std::span<const float> values) {
  std::array<float, kLanes> lanes;
  lanes.fill(kLowest);
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      lanes[lane] = value > lanes[lane] ? value : lanes[lane];
    }
  }
  float largest = kLowest;
  for (; i < values.size(); ++i) largest = values[i] > largest ? values[i] : largest;
  for (const float lane : lanes) largest = lane > largest ? lane : largest;
  if (largest == kLowest) return -1;
  std::size_t first = 0;
  while (values[first] != largest) ++first;
  return static_cast<std::int32_t>(first);
}

double exponentials(std::span<const float> values, float largest, float temperature,
                    std::span<float> weights) {
  weights = weights.first(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float x = (values[i] - largest) / temperature;
    weights[i] = x < kFarBelow ? kFarBelow : x;
  }
  for (float& weight : weights)
    weight = exponential(weight);  // apart: with the bound in it, compilers make a branch
  std::array<double, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= weights.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += weights[i + lane];
  }
  double sum = 0;
  for (; i < weights.size(); ++i) sum += weights[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace pensieve::engine
