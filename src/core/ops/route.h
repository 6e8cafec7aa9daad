// route: chooses `used` experts for each row from their scores and gives each its weight, 0 to all others.
// p = softmax(x) or sigmoid(x) over the experts. Those with the highest p + bias are chosen (ties: the
// first), within the groups_used best of `groups` equal runs of experts: a run counts by its best expert
// (softmax) or by the sum of its two best (sigmoid). weight = scale * p, divided by the sum of the chosen p
// where `normalise`. Source: arXiv 2405.04434 and 2412.19437 (DeepSeek), 2401.04088 (Mixtral). Shape: [rows,
// experts] -> [rows, experts]. Weights: optionally the bias, f32 [experts].
#pragma once
#include <cstdint>
namespace pensieve {
struct RouteParams {
  enum class Scoring : std::uint8_t { softmax, sigmoid } scoring = Scoring::softmax;
  std::int64_t used = 1;
  bool normalise = true;
  float scale = 1.0F;
  std::int64_t groups = 1, groups_used = 1;
};
}  // namespace pensieve
