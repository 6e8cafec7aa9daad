// Half and bfloat conversions, over all bit patterns.
#include "core/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pensieve {
namespace {

TEST(Half, EveryPatternSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      ASSERT_EQ(float_to_half(value), half) << value;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(half_to_float(float_to_half(1.0F + 0x1p-11F)), 1.0F);
  EXPECT_EQ(half_to_float(float_to_half(1.0F + 0x3p-11F)), 1.0F + 0x2p-10F);
  EXPECT_EQ(half_to_float(float_to_half(65519.0F)), 65504.0F);
  EXPECT_TRUE(std::isinf(half_to_float(float_to_half(65520.0F))));
  EXPECT_EQ(half_to_float(float_to_half(0x1p-25F)), 0.0F);
  EXPECT_EQ(half_to_float(float_to_half(0x1.8p-25F)), 0x1p-24F);
}

TEST(Bfloat, EveryPatternSurvivesTheRoundTripAndTiesGoToEven) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (std::isnan(bfloat_to_float(half))) continue;
    ASSERT_EQ(float_to_bfloat(bfloat_to_float(half)), half);
  }
  EXPECT_EQ(bfloat_to_float(float_to_bfloat(1.0F + 0x1p-8F)), 1.0F);
  EXPECT_EQ(bfloat_to_float(float_to_bfloat(1.0F + 0x3p-8F)), 1.0F + 0x2p-7F);
}

}  // namespace
}  // namespace pensieve
