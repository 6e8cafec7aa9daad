// Which backends and instruction sets the conformance tests run on, and what they are allowed to differ by.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hal/conformance/runner.h"
#include "hal/detect/instruction_sets.h"

namespace pensieve::hal::conformance {

std::unique_ptr<Backend> Target::open(std::int32_t threads) const {
  BackendOptions options;
  options.threads = threads;
  options.isa = isa;
  auto opened = factory->open(options);
  return opened ? std::move(*opened) : nullptr;
}

std::vector<Target> targets() {
  std::vector<Target> found;
  for (const BackendFactory* factory : backends()) {
    if (factory->name == "reference" || factory->name == "null") continue;
    const std::size_t before = found.size();
    for (const std::string& isa : detect_instruction_sets()) {
      const Target target{factory, isa};
      if (target.open(1) != nullptr) found.push_back(target);  // it need not have kernels for each of them
    }
    const Target plain{factory, ""};
    if (found.size() == before && plain.open(1) != nullptr) found.push_back(plain);
  }
  return found;
}

Target reference_target() {
  for (const BackendFactory* factory : backends()) {
    if (factory->name == "reference") return {factory, ""};
  }
  return {};
}

Tolerance tolerance_for(const Codec& codec) {
  if (codec.name == "f32") return {1e-5, 0};
  if (codec.block_elements == 1) return {1e-2, 0};
  return {0, 6e-4};
}

Tolerance looser(Tolerance a, Tolerance b) {
  // A bound that only one of them has does not hold for both: the mean square is the weaker kind.
  if (a.largest > 0 && b.largest > 0) return {std::max(a.largest, b.largest), 0};
  return {0, std::max({a.mean_square, b.mean_square, a.largest * a.largest, b.largest * b.largest})};
}

void expect_close(const Logits& wanted, const Logits& got, Tolerance tolerance) {
  ASSERT_EQ(wanted.size(), got.size());
  double largest = 0, difference = 0, squares = 0, squared_differences = 0;
  for (std::size_t r = 0; r < wanted.size(); ++r) {
    ASSERT_EQ(wanted[r].size(), got[r].size());
    for (std::size_t i = 0; i < wanted[r].size(); ++i) {
      ASSERT_TRUE(std::isfinite(got[r][i]))
          << "row " << r << ", column " << i << " should be " << wanted[r][i];
      const double w = static_cast<double>(wanted[r][i]), d = static_cast<double>(got[r][i]) - w;
      largest = std::max(largest, std::abs(w));
      difference = std::max(difference, std::abs(d));
      squares += w * w;
      squared_differences += d * d;
    }
  }
  ASSERT_GT(largest, 0.0) << "the reference gives zeros only: the test proves nothing";
  if (tolerance.largest > 0) {
    EXPECT_LE(difference, tolerance.largest * largest);
  }
  if (tolerance.mean_square > 0) {
    EXPECT_LE(squared_differences, tolerance.mean_square * squares);
  }
}

namespace {

TEST(ConformanceTargets, TheJudgeIsThere) {
  ASSERT_NE(reference_target().factory, nullptr);
  EXPECT_NE(reference_target().open(), nullptr);
}

TEST(ConformanceTargets, AreListedOnce) {
  std::vector<std::string> names;
  for (const Target& target : targets()) names.push_back(target.name());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace pensieve::hal::conformance
