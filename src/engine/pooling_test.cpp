// The reductions of embedding models, on numbers that can be checked by hand.
#include "engine/pooling.h"

#include <gmock/gmock.h>

namespace pensieve::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST(Pooling, NeedsOnlyTheRowsItReads) {
  EXPECT_EQ(pooled_rows(Pooling::mean, 7).first, 0);
  EXPECT_EQ(pooled_rows(Pooling::mean, 7).count, 7);
  EXPECT_EQ(pooled_rows(Pooling::first, 7).first, 0);
  EXPECT_EQ(pooled_rows(Pooling::first, 7).count, 1);
  EXPECT_EQ(pooled_rows(Pooling::last, 7).first, 6);
  EXPECT_EQ(pooled_rows(Pooling::rank, 7).first, 0);
}

TEST(Pooling, ReducesRowsToOneVector) {
  const std::vector<float> rows{1, 2, 3, 6};
  EXPECT_THAT(pool(Pooling::mean, rows, 2), ElementsAre(2, 4));
  EXPECT_THAT(pool(Pooling::last, std::span(rows).last(2), 2), ElementsAre(3, 6));
}

TEST(Pooling, NormalisesToLengthOneAndLeavesZeros) {
  std::vector<float> vector{3, 4}, zeros{0, 0};
  normalise(vector);
  EXPECT_THAT(vector, ElementsAre(FloatNear(0.6F, 1e-7F), FloatNear(0.8F, 1e-7F)));
  normalise(zeros);
  EXPECT_THAT(zeros, ElementsAre(0, 0));
}

}  // namespace
}  // namespace pensieve::engine
