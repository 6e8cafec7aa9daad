// What the cuda backend promises without a GPU: rows that can be read 16 bytes at a time and lose nothing,
// refusals in plain words, and a probe that answers on machines without a driver. Arithmetic is judged by
// hal/conformance on a GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hal/backends.h"
#include "hal/cuda/runtime.h"
#include "hal/cuda/weights.h"

namespace pensieve::hal::cuda {
namespace {

using testing::HasSubstr;

const BackendFactory* factory() {
  for (const BackendFactory* found : backends()) {
    if (found->name == "cuda") return found;
  }
  return nullptr;
}

TEST(CudaLayout, SegmentsStartAtWholeChunksAndHoldEveryByte) {
  for (const Codec* codec : codecs()) {
    SCOPED_TRACE(codec->name);
    for (const std::int64_t blocks : {1, 9, 80}) {
      const std::int64_t columns =
          blocks * std::int64_t{codec->block_elements == 1 ? 64 : codec->block_elements};
      const Matrix m = laid_out(*codec, 7, columns);
      const std::size_t stored = codec->row_bytes(static_cast<std::size_t>(columns));
      EXPECT_GE(m.row_bytes, stored);
      if (m.stored == Stored::blocks) continue;
      EXPECT_EQ(m.segment_bytes % 16, 0);
      EXPECT_EQ(m.row_bytes % 16, 0U);
      EXPECT_LT(m.row_bytes, stored + 16);
    }
  }
}

TEST(CudaLayout, OddRowsArePaddedToWholeTiles) {
  EXPECT_EQ(plain_stride(1), 64);
  EXPECT_EQ(plain_stride(64), 64);
  EXPECT_EQ(plain_stride(331), 384);
  EXPECT_EQ(laid_out(*find_codec("f16"), 2, 5).row_bytes, 128U);
}

TEST(CudaLayout, FormatsWithoutAFastPathKeepTheFileLayout) {
  EXPECT_EQ(stored_as(*find_codec("q5_k")), Stored::blocks);
  EXPECT_EQ(stored_as(*find_codec("q4_k")), Stored::q4_k);
  EXPECT_EQ(stored_as(*find_codec("bf16")), Stored::bf16);
}

TEST(CudaRuntime, SaysWhyThereIsNoDevice) {
  EXPECT_THAT(absence(cudaErrorNoDevice).what, HasSubstr("reports no GPU"));
  EXPECT_THAT(absence(cudaErrorInsufficientDriver).what, HasSubstr("driver"));
  EXPECT_EQ(absence(cudaErrorNoDevice).code, Error::Code::unavailable);
}

TEST(CudaRuntime, RefusesCardsThatAreTooOldByName) {
  EXPECT_TRUE(check_capability("new card", 9, 0));
  EXPECT_TRUE(check_capability("first card", 8, 0));
  const auto old = check_capability("old card", 7, 5);
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().what, HasSubstr("old card has compute capability 7.5; 8.0"));
  EXPECT_EQ(old.error().code, Error::Code::unsupported);
}

TEST(CudaRuntime, RunningOutOfMemoryIsExhaustion) {
  EXPECT_TRUE(check(cudaSuccess, "do nothing"));
  EXPECT_EQ(check(cudaErrorMemoryAllocation, "hold it").error().code, Error::Code::exhausted);
  EXPECT_THAT(check(cudaErrorLaunchFailure, "start a step").error().what,
              HasSubstr("could not start a step"));
}

TEST(CudaBackend, ProbeAnswersEverywhere) {
  ASSERT_NE(factory(), nullptr);
  const auto devices = factory()->probe();
  if (devices) {
    EXPECT_FALSE(devices->empty());
    EXPECT_FALSE(devices->front().name.empty());
  } else {
    EXPECT_THAT(devices.error().what, testing::AnyOf(HasSubstr("driver"), HasSubstr("GPU")));
    const auto opened = factory()->open({});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().what, devices.error().what);
  }
}

TEST(CudaBackend, HasNoInstructionSets) {
  BackendOptions options;
  options.isa = "avx2";
  const auto opened = factory()->open(options);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().what, HasSubstr("avx2"));
}

}  // namespace
}  // namespace pensieve::hal::cuda
