// A few hundred experts at most: plain loops over a row; choices by repeated search, so that ties fall to the
// first.
#include "hal/cpu/route.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pensieve::hal::cpu {
namespace {

constexpr float kOut = -std::numeric_limits<float>::infinity();

void score(const RouteParams& params, std::span<const float> scores, float* p) {
  if (params.scoring == RouteParams::Scoring::sigmoid) {
    for (std::size_t e = 0; e < scores.size(); ++e) p[e] = 1.0F / (1.0F + std::exp(-scores[e]));
    return;
  }
  const float highest = *std::max_element(scores.begin(), scores.end());
  float total = 0.0F;
  for (std::size_t e = 0; e < scores.size(); ++e) total += p[e] = std::exp(scores[e] - highest);
  for (std::size_t e = 0; e < scores.size(); ++e) p[e] /= total;
}

// What a group counts: its best rank, or the sum of its two best.
float worth(const RouteParams& params, std::span<const float> ranks) {
  float best = kOut, second = kOut;
  for (const float rank : ranks) {
    second = std::max(second, std::min(best, rank));
    best = std::max(best, rank);
  }
  return params.scoring == RouteParams::Scoring::sigmoid && ranks.size() > 1 ? best + second : best;
}

// Takes the worst groups out of the running until groups_used are left; of equals the later goes first.
void keep_best_groups(const RouteParams& params, std::span<float> ranks) {
  const auto groups = static_cast<std::size_t>(params.groups);
  const std::size_t size = ranks.size() / groups;
  for (std::int64_t left = params.groups; left > params.groups_used; --left) {
    std::size_t worst = groups;
    float least = 0.0F;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::span<float> group = ranks.subspan(g * size, size);
      if (group.front() == kOut) continue;
      const float its = worth(params, group);
      if (worst < groups && its > least) continue;
      worst = g;
      least = its;
    }
    if (worst < groups) std::fill_n(ranks.begin() + static_cast<std::ptrdiff_t>(worst * size), size, kOut);
  }
}

}  // namespace

void choose_experts(const RouteParams& params, const float* bias, std::span<const float> scores, float* space,
                    float* out) {
  float* p = space;
  const std::span<float> ranks(space + scores.size(), scores.size());
  score(params, scores, p);
  for (std::size_t e = 0; e < ranks.size(); ++e) ranks[e] = bias != nullptr ? p[e] + bias[e] : p[e];
  if (params.groups > 1) keep_best_groups(params, ranks);
  std::fill_n(out, scores.size(), 0.0F);
  float total = 0.0F;
  for (std::int64_t i = 0; i < params.used; ++i) {
    const auto best = static_cast<std::size_t>(std::max_element(ranks.begin(), ranks.end()) - ranks.begin());
    ranks[best] = kOut;
    out[best] = p[best];
    total += p[best];
  }
  const float factor = params.scale / (params.normalise ? total : 1.0F);
  for (std::size_t e = 0; e < scores.size(); ++e) out[e] *= factor;
}

}  // namespace pensieve::hal::cpu
