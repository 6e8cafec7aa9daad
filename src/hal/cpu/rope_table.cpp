// Angles as core/ops/rope.h defines them; the blend of yarn is section 3.2 of arXiv 2309.00071.
#include "hal/cpu/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pensieve::hal::cpu {

RopeTable::RopeTable(const RopeParams& params, const float* factors)
    : params_(params), magnitude_(static_cast<double>(params.attention_factor)) {
  const double width = static_cast<double>(params.rotary_width), base = static_cast<double>(params.base);
  const auto pairs = static_cast<std::size_t>(params.rotary_width / 2);
  const bool yarn = params.scaling == RopeParams::Scaling::yarn;
  // Index of the pair that turns `rotations` times over the trained context.
  const auto pair_turning = [&](double rotations) {
    const double context = static_cast<double>(params.original_context);
    return width * std::log(context / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(base));
  };
  double low = 0.0, high = 0.0;
  if (yarn) {
    low = pair_turning(static_cast<double>(params.beta_fast));
    high = pair_turning(static_cast<double>(params.beta_slow));
    low = std::max(params.whole_pairs ? std::floor(low) : low, 0.0);
    high = std::min(params.whole_pairs ? std::ceil(high) : high, width - 1.0);
  }
  for (std::size_t i = 0; i < pairs; ++i) {
    double angle = std::pow(base, -2.0 * static_cast<double>(i) / width);
    if (factors != nullptr) angle /= static_cast<double>(factors[i]);
    const double stretched = angle / static_cast<double>(params.scale_factor);
    if (params.scaling == RopeParams::Scaling::linear) angle = stretched;
    if (yarn) {
      const double slow = std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
      angle = angle * (1.0 - slow) + stretched * slow;
    }
    angles_.push_back(angle);
  }
}

void RopeTable::fill(int position, float* cosines, float* sines) const {
  const bool interleaved = params_.pairing == RopeParams::Pairing::interleaved;
  for (std::size_t i = 0; i < angles_.size(); ++i) {
    const double angle = static_cast<double>(position) * angles_[i];
    const auto cosine = static_cast<float>(std::cos(angle) * magnitude_);
    const auto sine = static_cast<float>(std::sin(angle) * magnitude_);
    if (interleaved) {
      cosines[2 * i] = cosines[2 * i + 1] = cosine;
      sines[2 * i] = -sine;
      sines[2 * i + 1] = sine;
    } else {
      cosines[i] = cosine;
      sines[i] = sine;
    }
  }
}

}  // namespace pensieve::hal::cpu
