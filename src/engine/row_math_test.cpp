// Passes over rows of every length around the lane width, with NaN and infinities in every place.
#include "engine/row_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace pensieve::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(RowMath, ArgMaxFindsTheFirstLargestAnywhere) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::vector<float> values(size, -3.0F);
      if (at > 0) values[at - 1] = kNan;
      if (at + 1 < size) values[at + 1] = -kInfinity;
      values[at] = -1.0F;
      if (at + 2 < size) values[at + 2] = -1.0F;
      EXPECT_EQ(arg_max(values), static_cast<std::int32_t>(at)) << size;
    }
    EXPECT_EQ(arg_max(std::vector<float>(size, kNan)), -1);
    EXPECT_EQ(arg_max(std::vector<float>(size, -kInfinity)), -1);
    EXPECT_EQ(arg_max(std::vector<float>(size, kInfinity)), 0);
  }
  EXPECT_EQ(arg_max({}), -1);
}

TEST(RowMath, CleanRow) {
  std::vector<float> cleaned(5);
  clean_row(std::vector<float>{kNan, kInfinity, -kInfinity, 1.5F, -0.0F}, cleaned);
  EXPECT_EQ(cleaned,
            (std::vector<float>{-kInfinity, std::numeric_limits<float>::max(), -kInfinity, 1.5F, 0.0F}));
}

TEST(RowMath, ExponentialsAreExactToAFewUnitsInTheLastPlace) {
  std::vector<float> values;
  for (int i = 0; i < 100000; ++i) values.push_back(-static_cast<float>(i) * 0.00087F);
  std::vector<float> weights(values.size());
  const double sum = exponentials(values, 0.0F, 1.0F, weights);
  double wanted = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double exact = std::exp(static_cast<double>(values[i]));
    ASSERT_NEAR(weights[i] / exact, 1.0, 2e-7) << values[i];
    wanted += exact;
  }
  EXPECT_NEAR(sum / wanted, 1.0, 1e-7);
  EXPECT_EQ(weights[0], 1.0F);
}

TEST(RowMath, ExponentialsDivideByTheTemperatureAndVanish) {
  std::vector<float> weights(4);
  exponentials(std::vector<float>{3.0F, 2.0F, -kInfinity, -1000.0F}, 3.0F, 0.5F, weights);
  EXPECT_NEAR(weights[1], std::exp(-2.0), 1e-7);
  EXPECT_EQ(weights[2], 0.0F);
  EXPECT_EQ(weights[3], 0.0F);
  exponentials(std::vector<float>{std::numeric_limits<float>::max(), 2.0F}, std::numeric_limits<float>::max(),
               0.01F, weights);
  EXPECT_EQ(weights[0], 1.0F);
  EXPECT_EQ(weights[1], 0.0F);
}

}  // namespace
}  // namespace pensieve::engine
