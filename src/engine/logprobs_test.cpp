// Log-probabilities against hand-computed softmax values; the best tokens exact, sorted, ties by id.
#include "engine/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/model_for_test.h"

namespace pensieve::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Logprobs, AreTheLogSoftmaxOfTheRawLogits) {
  const testing::ByteTokenizer tokenizer;
  LogprobReader reader(tokenizer);
  std::vector<float> logits(258, -kInfinity);
  logits['a'] = std::log(5.0F) + 700;  // a shift that exp alone would not survive
  logits['b'] = std::log(3.0F) + 700;
  logits['c'] = std::log(2.0F) + 700;
  const TokenLogprob entry = reader.read(logits, 'b', 2);
  EXPECT_EQ(entry.token, 'b');
  EXPECT_EQ(entry.bytes, "b");
  EXPECT_NEAR(entry.logprob, std::log(0.3), 1e-4);
  ASSERT_EQ(entry.top.size(), 2U);
  EXPECT_EQ(entry.top[0].token, 'a');
  EXPECT_NEAR(entry.top[0].logprob, std::log(0.5), 1e-4);
  EXPECT_EQ(entry.top[1].token, 'b');
  EXPECT_EQ(entry.top[1].logprob, entry.logprob);
}

TEST(Logprobs, TiesComeById) {
  const testing::ByteTokenizer tokenizer;
  LogprobReader reader(tokenizer);
  std::vector<float> logits(258, 1.0F);
  logits[200] = 2.0F;
  const TokenLogprob entry = reader.read(logits, 0, 4);
  std::vector<std::int32_t> order;
  for (const auto& alternative : entry.top) order.push_back(alternative.token);
  EXPECT_EQ(order, (std::vector<std::int32_t>{200, 0, 1, 2}));
  EXPECT_TRUE(reader.read(logits, 0, 0).top.empty());
}

TEST(Logprobs, ControlTokensCanBeToldApart) {
  const testing::ByteTokenizer tokenizer;
  LogprobReader reader(tokenizer);
  std::vector<float> logits(258, 0.0F);
  logits[256] = logits[257] = 5.0F;
  const TokenLogprob entry = reader.read(logits, 256, 2);
  EXPECT_EQ(entry.top[0].bytes, "<end>");
  EXPECT_EQ(entry.top[1].bytes, "<control>");
}

TEST(Logprobs, NanIsImpossibleAndInfinityCertain) {
  const testing::ByteTokenizer tokenizer;
  LogprobReader reader(tokenizer);
  std::vector<float> logits(258, std::numeric_limits<float>::quiet_NaN());
  logits[7] = kInfinity;
  logits[9] = 1.0F;
  EXPECT_EQ(reader.read(logits, 7, 5).logprob, 0.0F);
  EXPECT_EQ(reader.read(logits, 7, 5).top.size(), 2U) << "fewer than asked only where fewer are possible";
  EXPECT_EQ(reader.read(logits, 8, 0).logprob, -kInfinity);
}

}  // namespace
}  // namespace pensieve::engine
