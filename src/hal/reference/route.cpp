// route: probabilities in double precision; choices by repeated search, so that ties fall to the first.
#include <algorithm>
#include <cmath>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {
namespace {

std::vector<double> probabilities(RouteParams::Scoring scoring, std::span<const float> scores) {
  std::vector<double> p(scores.begin(), scores.end());
  if (scoring == RouteParams::Scoring::sigmoid) {
    for (double& x : p) x = 1.0 / (1.0 + std::exp(-x));
    return p;
  }
  const double highest = *std::max_element(p.begin(), p.end());
  double total = 0.0;
  for (double& x : p) total += x = std::exp(x - highest);
  for (double& x : p) x /= total;
  return p;
}

std::size_t first_best(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

// What a group of experts counts: its best, or the sum of its two best.
double worth(const RouteParams& params, std::span<const double> group) {
  std::vector<double> sorted(group.begin(), group.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const bool two = params.scoring == RouteParams::Scoring::sigmoid && sorted.size() > 1;
  return two ? sorted[0] + sorted[1] : sorted[0];
}

// Experts outside the best groups are out of the running.
void keep_best_groups(const RouteParams& params, std::vector<double>& ranks) {
  const auto groups = static_cast<std::size_t>(params.groups);
  const std::size_t size = ranks.size() / groups;
  std::vector<double> worths;
  for (std::size_t g = 0; g < groups; ++g)
    worths.push_back(worth(params, std::span(ranks).subspan(g * size, size)));
  std::vector<bool> kept(groups, false);
  for (std::int64_t i = 0; i < params.groups_used; ++i) {
    const std::size_t best = first_best(worths);
    kept[best] = true;
    worths[best] = -INFINITY;
  }
  for (std::size_t e = 0; e < ranks.size(); ++e) {
    if (!kept[e / size]) ranks[e] = -INFINITY;
  }
}

}  // namespace

void route(const RouteParams& params, std::span<const float> bias, InputRows scores, float* out) {
  for (std::size_t r = 0; r < scores.rows; ++r, out += scores.width) {
    const std::vector<double> p = probabilities(params.scoring, {scores.row(r), scores.width});
    std::vector<double> ranks = p;
    for (std::size_t e = 0; e < bias.size(); ++e) ranks[e] += static_cast<double>(bias[e]);
    if (params.groups > 1) keep_best_groups(params, ranks);
    std::vector<std::size_t> chosen;
    double total = 0.0;
    for (std::int64_t i = 0; i < params.used; ++i) {
      chosen.push_back(first_best(ranks));
      ranks[chosen.back()] = -INFINITY;
      total += p[chosen.back()];
    }
    std::fill_n(out, scores.width, 0.0F);
    const double factor = static_cast<double>(params.scale) / (params.normalise ? total : 1.0);
    for (const std::size_t e : chosen) out[e] = static_cast<float>(p[e] * factor);
  }
}

}  // namespace pensieve::hal::reference
