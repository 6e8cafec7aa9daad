// Samplers against distributions worked out by hand, with fixed seeds: which tokens remain, and how often
// each is drawn.
#include "engine/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "engine/random.h"

namespace pensieve::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Tokens = std::vector<std::int32_t>;

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities)
    logits.push_back(static_cast<float>(std::log(p)) + 3.0F);  // a shift changes nothing
  return logits;
}

std::int32_t draw(const std::vector<float>& logits, const SamplingParams& params, const Tokens& history = {},
                  std::uint64_t random = 0) {
  Sampler sampler;
  return *sampler.draw(logits, params, history, random);
}

// Draws many times and compares with the wanted probabilities: chi-square below its 0.999 quantile.
void expect_distribution(const std::vector<float>& logits, const SamplingParams& params,
                         const std::vector<double>& wanted, const Tokens& history = {}) {
  constexpr int kDraws = 8000;
  Sampler sampler;
  std::map<std::int32_t, int> counts;
  for (int i = 0; i < kDraws; ++i)
    ++counts[*sampler.draw(logits, params, history, random_at(42, 0, static_cast<std::uint64_t>(i)))];
  double sum = 0;
  int cells = 0;
  for (std::size_t token = 0; token < wanted.size(); ++token) {
    const int count = counts[static_cast<std::int32_t>(token)];
    if (wanted[token] == 0) {
      EXPECT_EQ(count, 0) << "token " << token << " was filtered out";
      continue;
    }
    const double expected = wanted[token] * kDraws;
    sum += (count - expected) * (count - expected) / expected;
    ++cells;
  }
  constexpr std::array<double, 9> kQuantiles{0,     0,     10.83, 13.82, 16.27,
                                             18.47, 20.52, 22.46, 24.32};  // by cells, one less in freedom
  ASSERT_LT(static_cast<std::size_t>(cells), kQuantiles.size());
  if (cells > 1) {
    EXPECT_LT(sum, kQuantiles[static_cast<std::size_t>(cells)]);
  }
}

const std::vector<double> kFive{0.4, 0.3, 0.15, 0.1, 0.05};

TEST(Sampler, TemperatureOneFollowsTheModel) {
  expect_distribution(logits_of(kFive), {}, kFive);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  for (const float temperature : {0.5F, 2.0F}) {
    std::vector<double> wanted;
    double sum = 0;
    for (const double p : kFive) sum += wanted.emplace_back(std::pow(p, 1 / temperature));
    for (double& p : wanted) p /= sum;
    SamplingParams params;
    params.temperature = temperature;
    expect_distribution(logits_of(kFive), params, wanted);
  }
}

TEST(Sampler, TopK) {
  SamplingParams params;
  params.top_k = 2;
  expect_distribution(logits_of(kFive), params, {4.0 / 7, 3.0 / 7, 0, 0, 0});
  expect_distribution({1, 2, 2, 2, 1}, params, {0, 0.5, 0.5, 0, 0});  // equal ones: the lower ids
  params.top_k = 50;
  expect_distribution(logits_of(kFive), params, kFive);
}

TEST(Sampler, TopP) {
  SamplingParams params;
  params.top_p = 0.69F;
  expect_distribution(logits_of(kFive), params, {4.0 / 7, 3.0 / 7, 0, 0, 0});
  params.top_p = 0.71F;
  expect_distribution(logits_of(kFive), params, {0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0});
  params.top_p = 0.0F;
  expect_distribution(logits_of(kFive), params, {1, 0, 0, 0, 0});
}

TEST(Sampler, TopPAfterTopKCountsOnlyWhatIsLeft) {
  SamplingParams params;
  params.top_k = 3;
  params.top_p = 0.5F;  // 0.4 / 0.85 is less, so two are kept
  expect_distribution(logits_of(kFive), params, {4.0 / 7, 3.0 / 7, 0, 0, 0});
  params.top_p = 0.46F;  // 0.4 / 0.85 is more
  expect_distribution(logits_of(kFive), params, {1, 0, 0, 0, 0});
}

TEST(Sampler, MinP) {
  SamplingParams params;
  params.min_p = 0.3F;
  expect_distribution(logits_of(kFive), params, {0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0});
  params.min_p = 1.0F;
  expect_distribution(logits_of(kFive), params, {1, 0, 0, 0, 0});
}

TEST(Sampler, Typical) {
  // Entropy of kFive is 1.392; |-ln p - entropy| is 0.476, 0.188, 0.505, 0.910, 1.603: the order is 1, 0, 2,
  // 3, 4.
  SamplingParams params;
  params.typical_p = 0.25F;
  expect_distribution(logits_of(kFive), params, {0, 1, 0, 0, 0});
  params.typical_p = 0.65F;
  expect_distribution(logits_of(kFive), params, {4.0 / 7, 3.0 / 7, 0, 0, 0});
  params.typical_p = 0.25F;
  params.temperature = 0;
  EXPECT_EQ(draw(logits_of(kFive), params), 1) << "greedy takes the largest of what is left";
}

TEST(Sampler, FiltersComeBeforeTheTemperature) {
  SamplingParams params;
  params.top_p = 0.69F;
  params.temperature = 100;  // would flatten, had it come first
  expect_distribution(logits_of(kFive), params, {0.5, 0.5, 0, 0, 0});
}

TEST(Sampler, LogitBias) {
  SamplingParams params;
  params.logit_bias = {{0, -100.0F}, {4, static_cast<float>(std::log(2))}, {99, 5.0F}, {-1, 5.0F}};
  expect_distribution(logits_of(kFive), params, {0, 0.3 / 0.65, 0.15 / 0.65, 0.1 / 0.65, 0.1 / 0.65});
}

TEST(Sampler, RepeatPenaltyDividesPositiveAndMultipliesNegative) {
  SamplingParams params;
  params.temperature = 0;
  params.repeat_penalty = 2.0F;
  EXPECT_EQ(draw({3.0F, 2.0F, -1.0F}, params, {0}), 1) << "3 / 2 < 2";
  EXPECT_EQ(draw({-1.0F, -1.5F, -5.0F}, params, {0}), 1) << "-1 * 2 < -1.5";
  EXPECT_EQ(draw({3.0F, 1.0F, -1.0F}, params, {0, 0, 0}), 0) << "once, however often it was seen";
}

TEST(Sampler, FrequencyAndPresencePenalties) {
  SamplingParams params;
  params.temperature = 0;
  params.frequency_penalty = 0.5F;
  EXPECT_EQ(draw({3.0F, 2.2F}, params, {0}), 0);
  EXPECT_EQ(draw({3.0F, 2.2F}, params, {0, 0}), 1) << "counted";
  params.frequency_penalty = 0;
  params.presence_penalty = 0.5F;
  EXPECT_EQ(draw({3.0F, 2.2F}, params, {0, 0, 0}), 0) << "not counted";
  params.presence_penalty = -2.0F;
  EXPECT_EQ(draw({3.0F, 2.2F}, params, {1}), 1) << "negative: a reward";
}

TEST(Sampler, PenaltiesLookBackAsFarAsTold) {
  SamplingParams params;
  params.temperature = 0;
  params.presence_penalty = 2.0F;
  Tokens history(100, 1);
  history[0] = 0;
  const std::vector<float> logits{3.0F, -9.0F, 2.0F};
  EXPECT_EQ(draw(logits, params, history), 0) << "64 tokens by default";
  params.repeat_last_n = 100;
  EXPECT_EQ(draw(logits, params, history), 2);
  params.repeat_last_n = -1;
  EXPECT_EQ(draw(logits, params, history), 2);
  params.repeat_last_n = 0;
  EXPECT_EQ(draw(logits, params, Tokens{0}), 0);
}

TEST(Sampler, PenaltiesLeaveNoTraceForTheNextRow) {
  Sampler sampler;
  SamplingParams params;
  params.temperature = 0;
  params.frequency_penalty = 1.0F;
  const std::vector<float> logits{3.0F, 2.5F};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*sampler.draw(logits, params, Tokens{0}, 0), 1);
  EXPECT_EQ(*sampler.draw(logits, params, Tokens{}, 0), 0);
}

TEST(Sampler, GreedyTakesTheFirstOfEqualMaxima) {
  SamplingParams params;
  params.temperature = 0;
  EXPECT_EQ(draw({1, 5, 5, 2}, params), 1);
  EXPECT_EQ(draw({kNan, 5, kInfinity, kInfinity}, params), 2);
  EXPECT_EQ(draw({-kInfinity, kNan, -7}, params), 2);
  params.top_k = 2;
  params.top_p = 0.5F;
  EXPECT_EQ(draw({1, 5, 5, 2}, params), 1);
}

TEST(Sampler, NanAndInfinityNeverBreakADraw) {
  for (const auto& settings :
       {SamplingParams{}, SamplingParams{.top_k = 3}, SamplingParams{.typical_p = 0.9F},
        SamplingParams{.top_p = 0.9F}, SamplingParams{.min_p = 0.1F}, SamplingParams{.repeat_penalty = 1.5F},
        SamplingParams{.temperature = 0.01F}}) {
    expect_distribution({kNan, 1, kInfinity, -kInfinity, kInfinity, 2}, settings, {0, 0, 0.5, 0, 0.5, 0});
    expect_distribution({kNan, 1, -kInfinity, 1, kNan}, settings, {0, 0.5, 0, 0.5, 0}, {4});
  }
}

TEST(Sampler, NothingPossibleIsAnError) {
  Sampler sampler;
  for (const float temperature : {0.0F, 1.0F}) {
    SamplingParams params;
    params.temperature = temperature;
    EXPECT_FALSE(sampler.draw(std::vector<float>{kNan, -kInfinity}, params, {}, 0));
    params.logit_bias = {{0, -kInfinity}};
    const auto refused = sampler.draw(std::vector<float>{1.0F, -kInfinity}, params, {}, 0);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Error::Code::internal);
  }
}

TEST(Sampler, ExtremeRandomNumbersStayInside) {
  const SamplingParams params;
  EXPECT_EQ(draw({-kInfinity, 0, 0, -kInfinity}, params, {}, 0), 1);
  EXPECT_EQ(draw({-kInfinity, 0, 0, -kInfinity}, params, {}, ~std::uint64_t{0}), 2);
}

// A large vocabulary takes other paths (partial selections); they must agree with the plain definition.
TEST(Sampler, LargeVocabularyKeepsExactlyTheNucleus) {
  std::vector<float> logits;
  for (std::uint64_t i = 0; i < 20000; ++i)
    logits.push_back(static_cast<float>(10 * unit_interval(mix_bits(i))));
  std::vector<std::pair<double, std::int32_t>> sorted;
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(-std::exp(static_cast<double>(logits[i]) - 10), static_cast<std::int32_t>(i));
    sum -= sorted.back().first;
  }
  std::sort(sorted.begin(), sorted.end());
  for (const float top_p : {0.01F, 0.3F, 0.9F}) {
    std::set<std::int32_t> nucleus;
    double mass = 0;
    for (std::size_t i = 0; mass < top_p * sum; ++i) {
      mass -= sorted[i].first;
      nucleus.insert(sorted[i].second);
    }
    std::set<std::int32_t> drawn;
    Sampler sampler;
    SamplingParams params;
    params.top_p = top_p;
    params.temperature = 50;  // nearly uniform over what is left: every kept token turns up
    for (std::uint64_t i = 0; i < 1000; ++i) {
      drawn.insert(*sampler.draw(logits, params, {}, random_at(1, 0, i)));
      ASSERT_TRUE(nucleus.contains(*drawn.rbegin())) << top_p;
    }
    EXPECT_THAT(nucleus, ::testing::IsSupersetOf(drawn)) << top_p;
    if (nucleus.size() < 100) {
      EXPECT_EQ(drawn.size(), nucleus.size());
    }
  }
  for (const std::int32_t top_k : {1, 40, 511, 513, 10000}) {  // heap and partition
    Sampler sampler;
    SamplingParams params;
    params.top_k = top_k;
    params.temperature = 50;
    const double bar = sorted[static_cast<std::size_t>(top_k) - 1].first;
    for (std::uint64_t i = 0; i < 100; ++i) {
      const std::int32_t token = *sampler.draw(logits, params, {}, random_at(1, 0, i));
      ASSERT_LE(-std::exp(static_cast<double>(logits[static_cast<std::size_t>(token)]) - 10), bar) << top_k;
    }
  }
}

}  // namespace
}  // namespace pensieve::engine
