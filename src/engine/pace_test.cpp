// The number of rows follows the time that rows take.
#include "engine/pace.h"

#include <gtest/gtest.h>

namespace pensieve::engine {
namespace {

TEST(Pace, StartsCarefully) {
  EXPECT_EQ(Pace().rows_within(500, 512), 64);
  EXPECT_EQ(Pace().rows_within(500, 8), 8);
}

TEST(Pace, FollowsTheMeasuredTime) {
  Pace pace;
  pace.record(64, 128);  // two milliseconds a row
  EXPECT_EQ(pace.rows_within(500, 512), 250);
  EXPECT_EQ(pace.rows_within(100, 512), 50);
  EXPECT_EQ(pace.rows_within(10000, 512), 512);
  EXPECT_EQ(pace.rows_within(1, 512), 16) << "never so few that the step is wasted";
  EXPECT_EQ(pace.rows_within(1, 4), 4);
}

TEST(Pace, OneDisturbedStepCountsLittleAndFewRowsNothing) {
  Pace pace;
  pace.record(100, 100);
  pace.record(100, 200);
  EXPECT_EQ(pace.rows_within(130, 512), 100);
  pace.record(4, 1000);
  EXPECT_EQ(pace.rows_within(130, 512), 100);
}

TEST(Pace, AnInstantDeviceGetsEverything) {
  Pace pace;
  pace.record(64, 0);
  EXPECT_EQ(pace.rows_within(100, 512), 512);
}

}  // namespace
}  // namespace pensieve::engine
