// Randomness by counter: repeatable, and without visible structure in seed, choice or position.
#include "engine/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace pensieve::engine {
namespace {

TEST(Random, DependsOnSeedChoiceAndPositionOnly) {
  EXPECT_EQ(random_at(1, 2, 3), random_at(1, 2, 3));
  std::set<std::uint64_t> values;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (std::uint32_t choice = 0; choice < 20; ++choice) {
      for (std::uint64_t position = 0; position < 20; ++position)
        values.insert(random_at(seed, choice, position));
    }
  }
  EXPECT_EQ(values.size(), 8000U);
}

// Chi-square over 64 cells: below 104 with probability 0.999 when uniform.
double chi_square(const std::array<int, 64>& cells, double expected) {
  double sum = 0;
  for (const int count : cells) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(Random, IsUniformAlongEachCounter) {
  for (int axis = 0; axis < 3; ++axis) {
    std::array<int, 64> cells{};
    for (std::uint32_t i = 0; i < 64000; ++i) {
      const std::uint64_t value = random_at(axis == 0 ? i : 7, axis == 1 ? i : 0, axis == 2 ? i : 100);
      ++cells[static_cast<std::size_t>(unit_interval(value) * 64)];
    }
    EXPECT_LT(chi_square(cells, 1000), 104) << "axis " << axis;
  }
}

TEST(Random, NeighboursAreIndependent) {
  std::array<int, 64> cells{};
  for (std::uint64_t position = 0; position < 64000; ++position) {
    const auto one = static_cast<std::size_t>(unit_interval(random_at(1, 0, position)) * 8);
    const auto next = static_cast<std::size_t>(unit_interval(random_at(1, 0, position + 1)) * 8);
    ++cells[one * 8 + next];
  }
  EXPECT_LT(chi_square(cells, 1000), 104);
}

TEST(Random, UnitIntervalExcludesOne) {
  EXPECT_LT(unit_interval(~std::uint64_t{0}), 1.0);
  EXPECT_EQ(unit_interval(0), 0.0);
}

}  // namespace
}  // namespace pensieve::engine
