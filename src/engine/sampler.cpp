// Sampler: adjusts the row, picks the candidates that the filters leave, draws one.
// Not for choosing the random number: it comes from the caller, so that a draw can be repeated.
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/random.h"
#include "engine/row_math.h"

namespace pensieve::engine {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr float kHighest = std::numeric_limits<float>::max();

float clean(float logit) {
  return std::isnan(logit) ? kLowest : std::min(logit, kHighest);
}

void forbid_others(std::span<const std::uint64_t> allowed, std::span<float> row) {
  for (std::size_t token = 0; token < row.size(); ++token) {
    const bool may = token / 64 < allowed.size() && (allowed[token / 64] >> (token % 64) & 1U) != 0;
    if (!may) row[token] = kLowest;
  }
}

bool has_penalties(const SamplingParams& params) {
  const bool active =
      params.repeat_penalty != 1.0F || params.frequency_penalty != 0.0F || params.presence_penalty != 0.0F;
  return active && params.repeat_last_n != 0;
}

bool filters(const SamplingParams& params, std::size_t vocabulary) {
  const bool top_k = params.top_k > 0 && static_cast<std::size_t>(params.top_k) < vocabulary;
  return top_k || params.typical_p < 1.0F || params.top_p < 1.0F || params.min_p > 0.0F;
}

// The first index at which the running sum of weights passes `part` of the whole; rounding cannot lead past
// the last one.
template <class Weight>
std::size_t walk(std::size_t size, double part, Weight weight) {
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (!(weight(i) > 0)) continue;
    sum += weight(i);
    last = i;
    if (part < sum) break;
  }
  return last;
}

void order_by_typicality(std::vector<Candidate>& candidates, double sum) {
  double entropy = 0;
  for (const Candidate& candidate : candidates) {
    const double p = candidate.weight / sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  for (Candidate& candidate : candidates) {
    const double p = candidate.weight / sum;
    candidate.order = p > 0 ? static_cast<float>(-std::abs(-std::log(p) - entropy)) : kLowest;
  }
}

double sum_of_weights(const std::vector<Candidate>& candidates) {
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += candidate.weight;
  return sum;
}

void keep_probable(std::vector<Candidate>& candidates, float min_p) {
  float largest = 0;
  for (const Candidate& candidate : candidates) largest = std::max(largest, candidate.weight);
  const float bar = std::min(min_p, 1.0F) * largest;
  std::erase_if(candidates, [bar](const Candidate& candidate) { return candidate.weight < bar; });
}

}  // namespace

Result<std::int32_t> Sampler::draw(std::span<const float> logits, const SamplingParams& params,
                                   std::span<const std::int32_t> history, std::uint64_t random,
                                   std::span<const std::uint64_t> allowed) {
  const bool greedy = !(params.temperature > 0.0F);
  const bool adjusts = !params.logit_bias.empty() || has_penalties(params);
  const bool largest_wins = greedy && params.typical_p >= 1.0F;  // the other filters never remove the largest
  std::int32_t best = -1;
  if (largest_wins && !adjusts && allowed.empty()) {
    best = arg_max(logits);
  } else {
    row_.resize(logits.size());
    clean_row(logits, row_);
    if (adjusts) adjust(params, history);
    if (!allowed.empty()) forbid_others(allowed, row_);
    best = arg_max(row_);
  }
  if (best < 0) {
    return fail(Error::Code::internal,
                "no token can follow: every logit is NaN or -inf (broken weights, a logit_bias that forbids "
                "all, or a "
                "constraint that the vocabulary cannot write)");
  }
  if (largest_wins) return best;

  const float largest = row_[static_cast<std::size_t>(best)];
  if (filters(params, row_.size())) {
    filter(params, largest);
    return greedy ? largest_candidate() : draw_candidate(params.temperature, random);
  }
  weights_.resize(row_.size());
  const double sum = exponentials(row_, largest, params.temperature, weights_);
  return static_cast<std::int32_t>(
      walk(row_.size(), unit_interval(random) * sum, [this](std::size_t i) { return weights_[i]; }));
}

void Sampler::adjust(const SamplingParams& params, std::span<const std::int32_t> history) {
  for (const auto& bias : params.logit_bias) {
    if (bias.first < 0 || static_cast<std::size_t>(bias.first) >= row_.size()) continue;
    float& logit = row_[static_cast<std::size_t>(bias.first)];
    logit = clean(logit + bias.second);
  }
  if (!has_penalties(params)) return;
  if (params.repeat_last_n > 0 && history.size() > static_cast<std::size_t>(params.repeat_last_n)) {
    history = history.last(static_cast<std::size_t>(params.repeat_last_n));
  }
  counts_.resize(row_.size(), 0);
  for (const std::int32_t token : history) {
    if (token < 0 || static_cast<std::size_t>(token) >= row_.size()) continue;
    if (counts_[static_cast<std::size_t>(token)]++ == 0) seen_.push_back(token);
  }
  for (const std::int32_t token : seen_) {
    float& logit = row_[static_cast<std::size_t>(token)];
    std::int32_t& count = counts_[static_cast<std::size_t>(token)];
    logit = logit > 0 ? logit / params.repeat_penalty : logit * params.repeat_penalty;
    logit = clean(logit - static_cast<float>(count) * params.frequency_penalty - params.presence_penalty);
    count = 0;
  }
  seen_.clear();
}

// Tokens that neither top_p nor min_p can keep are left out before anything is sorted: a token below (1 -
// top_p) / vocabulary of the mass lies outside the nucleus, because all such tokens together have less than 1
// - top_p.
double Sampler::gather(const SamplingParams& params, float largest) {
  const float top_p = std::clamp(params.top_p, 0.0F, 1.0F);
  weights_.resize(row_.size());
  const double sum = exponentials(row_, largest, 1.0F, weights_);
  double bar = 0;
  if (params.typical_p >= 1.0F) {
    bar = std::max<double>(params.min_p, (1.0 - top_p) * sum / static_cast<double>(row_.size()));
    bar = std::min(bar, 1.0);  // the weight of the largest
  }
  candidates_.clear();
  for (std::size_t i = 0; i < row_.size(); ++i) {
    if (weights_[i] > 0 && weights_[i] >= bar) {
      candidates_.push_back({.logit = row_[i], .weight = weights_[i], .token = static_cast<std::int32_t>(i)});
    }
  }
  return sum;
}

void Sampler::filter(const SamplingParams& params, float largest) {
  double sum = 0;
  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < row_.size()) {
    select_top(row_, static_cast<std::size_t>(params.top_k), candidates_);
    sum = weigh(candidates_, largest);
  } else {
    sum = gather(params, largest);
  }
  if (params.typical_p < 1.0F) {
    order_by_typicality(candidates_, sum);
    keep_mass(candidates_, params.typical_p * sum);
    sum = sum_of_weights(candidates_);
  }
  if (params.top_p < 1.0F) {
    for (Candidate& candidate : candidates_) candidate.order = candidate.logit;
    keep_mass(candidates_, params.top_p * sum);
  }
  if (params.min_p > 0.0F) keep_probable(candidates_, params.min_p);
}

std::int32_t Sampler::largest_candidate() const {
  const auto smaller = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit < b.logit : a.token > b.token;
  };
  return std::max_element(candidates_.begin(), candidates_.end(), smaller)->token;
}

std::int32_t Sampler::draw_candidate(float temperature, std::uint64_t random) {
  float largest = kLowest;
  for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.logit);
  double sum = 0;
  for (Candidate& candidate : candidates_) {
    candidate.weight = std::exp((candidate.logit - largest) / temperature);
    sum += candidate.weight;
  }
  const auto weight = [this](std::size_t i) { return candidates_[i].weight; };
  return candidates_[walk(candidates_.size(), unit_interval(random) * sum, weight)].token;
}

}  // namespace pensieve::engine
