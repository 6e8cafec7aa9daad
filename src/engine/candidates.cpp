// Partial selections over candidates: a bounded heap for the top few, growing partial sorts where a mass
// decides. Not for the samplers' formulas.
#include "engine/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pensieve::engine {
namespace {

bool larger_logit(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}
bool larger_order(const Candidate& a, const Candidate& b) {
  return a.order != b.order ? a.order > b.order : a.token < b.token;
}

// Above this many a heap loses against one partition of the whole row.
constexpr std::size_t kHeapLimit = 512;

void select_by_heap(std::span<const float> values, std::size_t count, std::vector<Candidate>& best) {
  float bar = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] > bar)) continue;  // an equal value with a higher index does not displace an earlier one
    if (best.size() == count) {
      std::pop_heap(best.begin(), best.end(), larger_logit);
      best.pop_back();
    }
    best.push_back({.logit = values[i], .token = static_cast<std::int32_t>(i)});
    std::push_heap(best.begin(), best.end(), larger_logit);
    if (best.size() == count) bar = best.front().logit;
  }
}

}  // namespace

void select_top(std::span<const float> values, std::size_t count, std::vector<Candidate>& best) {
  best.clear();
  if (count == 0) return;
  if (count <= kHeapLimit) {
    select_by_heap(values, count, best);
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] > -std::numeric_limits<float>::infinity()) {
        best.push_back({.logit = values[i], .token = static_cast<std::int32_t>(i)});
      }
    }
    if (count < best.size()) {
      std::nth_element(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count), best.end(),
                       larger_logit);
      best.resize(count);
    }
  }
  std::sort(best.begin(), best.end(), larger_logit);
}

double weigh(std::vector<Candidate>& candidates, float largest) {
  double sum = 0;
  for (Candidate& candidate : candidates) {
    candidate.weight = std::exp(candidate.logit - largest);
    sum += candidate.weight;
  }
  return sum;
}

void keep_mass(std::vector<Candidate>& candidates, double mass) {
  double sum = 0;
  std::size_t sorted = 0;
  for (std::size_t chunk = 64; sorted < candidates.size(); chunk *= 8) {
    const std::size_t end = std::min(candidates.size(), sorted + chunk);
    const auto first = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto last = candidates.begin() + static_cast<std::ptrdiff_t>(end);
    if (last != candidates.end()) std::nth_element(first, last, candidates.end(), larger_order);
    std::sort(first, last, larger_order);
    for (; sorted < end; ++sorted) {
      sum += candidates[sorted].weight;
      if (sum < mass) continue;
      candidates.resize(sorted + 1);
      return;
    }
  }
}

}  // namespace pensieve::engine
