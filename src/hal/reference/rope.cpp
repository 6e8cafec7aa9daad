// rope: angles in double precision from each row's position; the same angles for every head.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {
namespace {

// The pair index at which a full context of `original_context` positions makes `rotations` turns (arXiv
// 2309.00071, 3.2).
double pair_with_rotations(const RopeParams& params, double rotations) {
  const double positions_a_turn =
      static_cast<double>(params.original_context) / (rotations * 2.0 * std::numbers::pi);
  return static_cast<double>(params.rotary_width) * std::log(positions_a_turn) /
         (2.0 * std::log(static_cast<double>(params.base)));
}

// Angle of each pair for one step of position.
std::vector<double> angles_a_position(const RopeParams& params, std::span<const float> factors) {
  const auto pairs = static_cast<std::size_t>(params.rotary_width / 2);
  std::vector<double> angles(pairs);
  double low = 0.0, high = 0.0;
  if (params.scaling == RopeParams::Scaling::yarn) {
    low = pair_with_rotations(params, static_cast<double>(params.beta_fast));
    high = pair_with_rotations(params, static_cast<double>(params.beta_slow));
    if (params.whole_pairs) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, static_cast<double>(params.rotary_width - 1));
  }
  for (std::size_t i = 0; i < pairs; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(params.rotary_width);
    double angle = std::pow(static_cast<double>(params.base), exponent);
    if (!factors.empty()) angle /= static_cast<double>(factors[i]);
    const double stretched = angle / static_cast<double>(params.scale_factor);
    if (params.scaling == RopeParams::Scaling::linear) angle = stretched;
    if (params.scaling == RopeParams::Scaling::yarn) {
      // 0 for fast pairs, which keep their angle; 1 for slow ones, which are interpolated.
      const double ramp = std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
      angle = angle * (1.0 - ramp) + stretched * ramp;
    }
    angles[i] = angle;
  }
  return angles;
}

}  // namespace

void rope(const RopeParams& params, std::span<const float> factors, std::span<const std::int32_t> positions,
          InputRows in, float* out) {
  const std::vector<double> angles = angles_a_position(params, factors);
  const auto head_width = static_cast<std::size_t>(params.head_width);
  const bool interleaved = params.pairing == RopeParams::Pairing::interleaved;
  const auto magnitude = static_cast<double>(params.attention_factor);
  const auto column = static_cast<std::size_t>(params.first_column);
  std::copy_n(in.data, in.rows * in.width, out);  // the other columns stay
  for (std::size_t r = 0; r < in.rows; ++r) {
    for (std::size_t i = 0; i < angles.size(); ++i) {
      const double angle = static_cast<double>(positions[r]) * angles[i];
      const double cosine = std::cos(angle) * magnitude, sine = std::sin(angle) * magnitude;
      const std::size_t first = column + (interleaved ? 2 * i : i);
      const std::size_t second = column + (interleaved ? 2 * i + 1 : i + angles.size());
      for (std::size_t head = 0; head < in.width; head += head_width) {
        const auto a = static_cast<double>(in.row(r)[head + first]),
                   b = static_cast<double>(in.row(r)[head + second]);
        out[r * in.width + head + first] = static_cast<float>(a * cosine - b * sine);
        out[r * in.width + head + second] = static_cast<float>(a * sine + b * cosine);
      }
    }
  }
}

}  // namespace pensieve::hal::reference
