// Arithmetic of eval, perplexity and bench, on numbers that can be checked by hand.
#include "tools/forward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tools/measure.h"
#include "tools/perplexity.h"
#include "tools/terminal.h"

namespace pensieve::tools {
namespace {

TEST(Argmax, FirstOfEqualMaximaAtAnyLength) {
  for (const std::size_t size : {1U, 7U, 16U, 17U, 100U, 49152U}) {
    std::vector<float> logits(size, -3.0F);
    EXPECT_EQ(argmax(logits), 0);
    logits[size - 1] = 2.0F;
    EXPECT_EQ(argmax(logits), static_cast<std::int32_t>(size - 1));
    logits[size / 2] = 2.0F;
    EXPECT_EQ(argmax(logits), static_cast<std::int32_t>(size / 2));
  }
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(argmax(std::vector<float>{not_a_number, 1.0F, not_a_number}), 1);
  EXPECT_EQ(argmax(std::vector<float>(20, not_a_number)), 0);
}

TEST(Choose, TakesTheDevicesTokenOrTheLikeliest) {
  const std::vector<float> logits{0, 1, 5, 2, 9, 0};
  const std::vector<std::int32_t> drawn{7, 8};
  EXPECT_EQ(choose({logits, {}}, 0, 3), 2);
  EXPECT_EQ(choose({logits, {}}, 1, 3), 1);
  EXPECT_EQ(choose({{}, drawn}, 1, 3), 8);
}

TEST(Surprise, IsTheNegativeLogProbability) {
  const std::vector<float> even(8, 123.0F);
  EXPECT_NEAR(surprise(even, 3), std::log(8.0), 1e-12);
  const std::vector<float> skewed{0.0F, std::log(3.0F)};
  EXPECT_NEAR(surprise(skewed, 1), -std::log(0.75), 1e-6);
  EXPECT_NEAR(surprise(skewed, 0), -std::log(0.25), 1e-6);
  const std::vector<float> extreme{-1e30F, 1e30F};
  EXPECT_EQ(surprise(extreme, 1), 0.0);
}

TEST(PerplexityValue, IsTheExponentialOfTheMean) {
  EXPECT_NEAR((Perplexity{4 * std::log(10.0), 4, 1}.value()), 10.0, 1e-12);
}

TEST(SpreadOf, MedianOfOddAndEvenCounts) {
  EXPECT_EQ(spread_of({3, 1, 2}).median, 2);
  EXPECT_EQ(spread_of({4, 1, 2, 3}).median, 2.5);
  EXPECT_EQ(spread_of({5}).minimum, 5);
  EXPECT_EQ(spread_of({4, 1, 2, 3}).maximum, 4);
}

TEST(Terminal, ForeignTextCannotDriveIt) {
  EXPECT_EQ(harmless("a\tb\n\x1B[2Jc\xFFz"), "a\tb\n\xEF\xBF\xBD[2Jc\xEF\xBF\xBDz");
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_count(134'500'000), "134.5 M");
}

}  // namespace
}  // namespace pensieve::tools
