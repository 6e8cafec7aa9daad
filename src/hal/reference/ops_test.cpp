// The ops against numbers worked out by hand or from the formulas' sources, so that the judge itself is
// judged.
#include "hal/reference/ops.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hal/reference/dot.h"

namespace pensieve::hal::reference {
namespace {

using Row = std::vector<float>;

InputRows rows_of(const Row& values, std::size_t width) {
  return {values.data(), values.size() / width, width};
}

void expect_near(const Row& got, const Row& wanted, float tolerance = 1e-6F) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance) << "element " << i;
}

WeightMatrix matrix_of(const Row& values, std::size_t columns) {
  return {find_codec("f32"), reinterpret_cast<const unsigned char*>(values.data()), values.size() / columns,
          columns};
}

TEST(ReferenceOps, EmbedTakesTheTokensRows) {
  const Row table{1, 2, 3, 4, 5, 6};
  const std::vector<std::int32_t> tokens{2, 0, 2};
  Row out(6);
  embed(matrix_of(table, 2), tokens, out.data());
  EXPECT_EQ(out, (Row{5, 6, 1, 2, 5, 6}));
}

TEST(ReferenceOps, LinearMultipliesRowsAndAddsBias) {
  const Row weights{1, 2, 3, /**/ -1, 0, 1}, in{1, 1, 1, /**/ 2, 0, -1}, bias{10, 20};
  Row out(4);
  linear(matrix_of(weights, 3), {}, rows_of(in, 3), 1, out.data());
  EXPECT_EQ(out, (Row{6, 0, -1, -3}));
  linear(matrix_of(weights, 3), bias, rows_of(in, 3), 2, out.data());
  EXPECT_EQ(out, (Row{16, 20, 9, 17}));
}

TEST(ReferenceOps, DotIsNearlyExactForLongRows) {
  Row a(5000), b(5000);
  double exact = 0, magnitude = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = std::sin(static_cast<float>(i));
    b[i] = std::cos(static_cast<float>(3 * i));
    exact += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    magnitude += std::abs(static_cast<double>(a[i]) * static_cast<double>(b[i]));
  }
  EXPECT_NEAR(static_cast<double>(dot(a.data(), b.data(), a.size())), exact, 1e-7 * magnitude);
}

TEST(ReferenceOps, NormsOfGroups) {
  const Row in{3, 4, /**/ 1, -1}, weight{2, 10}, bias{0.5F, -0.5F};
  Row out(4);
  norm({NormParams::Kind::rms, 0.0F, 2}, {}, {}, rows_of(in, 4), out.data());
  const float r = std::sqrt(12.5F);
  expect_near(out, {3 / r, 4 / r, 1, -1});
  norm({NormParams::Kind::layer, 0.0F, 2}, weight, bias, rows_of(in, 4), out.data());
  expect_near(out, {-2 + 0.5F, 10 - 0.5F, 2 + 0.5F, -10 - 0.5F});
  norm({NormParams::Kind::rms, 12.5F, 2}, {}, {}, rows_of(in, 4), out.data());
  EXPECT_NEAR(out[0], 3 / 5.0F, 1e-6F) << "epsilon belongs under the root";
}

TEST(ReferenceOps, RopeRotatesPairsByPosition) {
  const Row in{1, 0, 0, 2};
  Row out(4);
  const std::vector<std::int32_t> at_three{3};
  RopeParams params{.head_width = 4, .rotary_width = 4, .base = 100.0F};
  rope(params, {}, at_three, rows_of(in, 4), out.data());  // pairs (0,1) by 3 radians, (2,3) by 0.3
  expect_near(out, {std::cos(3.0F), std::sin(3.0F), -2 * std::sin(0.3F), 2 * std::cos(0.3F)});
  params.pairing = RopeParams::Pairing::halves;  // pairs (0,2) and (1,3)
  rope(params, {}, at_three, rows_of(in, 4), out.data());
  expect_near(out, {std::cos(3.0F), -2 * std::sin(0.3F), std::sin(3.0F), 2 * std::cos(0.3F)});
  const Row factors{2, 0.5F};
  rope(params, factors, at_three, rows_of(in, 4), out.data());
  expect_near(out, {std::cos(1.5F), -2 * std::sin(0.6F), std::sin(1.5F), 2 * std::cos(0.6F)});
  params.scaling = RopeParams::Scaling::linear;
  params.scale_factor = 3.0F;
  rope(params, {}, at_three, rows_of(in, 4), out.data());
  expect_near(out, {std::cos(1.0F), -2 * std::sin(0.1F), std::sin(1.0F), 2 * std::cos(0.1F)});
}

TEST(ReferenceOps, RopeLeavesColumnsBeyondTheRotaryWidth) {
  const Row in{1, 0, 7, 8, /**/ 0, 1, 9, 10};
  Row out(8);
  const std::vector<std::int32_t> at_one{1};
  rope({.head_width = 4, .rotary_width = 2}, {}, at_one, rows_of(in, 8), out.data());
  expect_near(out, {std::cos(1.0F), std::sin(1.0F), 7, 8, -std::sin(1.0F), std::cos(1.0F), 9, 10});
}

// Computed apart from this code from the formulas of arXiv 2309.00071 for 32 columns, base 10000, 512 -> 4096
// positions.
TEST(ReferenceOps, RopeYarnBlendsAngles) {
  RopeParams params{
      .scaling = RopeParams::Scaling::yarn, .head_width = 32, .rotary_width = 32, .base = 10000.0F};
  params.scale_factor = 8.0F;
  params.original_context = 512;
  params.attention_factor = 1.2F;
  Row in(32, 0.0F), out(32);
  for (std::size_t i = 0; i < 16; ++i) in[2 * i] = 1.0F;
  const std::vector<std::int32_t> at_hundred{100};
  rope(params, {}, at_hundred, rows_of(in, 32), out.data());
  EXPECT_NEAR(out[0], 1.0347826F, 1e-5F);
  EXPECT_NEAR(out[1], -0.6076388F, 1e-5F);
  EXPECT_NEAR(out[6], 0.8608870F, 1e-5F);
  EXPECT_NEAR(out[7], 0.8359866F, 1e-5F);
  EXPECT_NEAR(out[10], -1.1352951F, 1e-5F);
  EXPECT_NEAR(out[11], 0.3887222F, 1e-5F);
  EXPECT_NEAR(out[16], 1.1906372F, 1e-5F);
  EXPECT_NEAR(out[17], 0.1496097F, 1e-5F);
  EXPECT_NEAR(out[30], 1.1999970F, 1e-5F);
  EXPECT_NEAR(out[31], 0.0026674F, 1e-5F);
}

TEST(ReferenceOps, Activations) {
  const Row in{-2, 0, 1.5F}, gate{2, 3, -1};
  Row out(3);
  activate({ActivateParams::Kind::silu}, rows_of(in, 1), out.data());
  expect_near(out, {-0.2384058F, 0, 1.2263617F});
  activate({ActivateParams::Kind::gelu}, rows_of(in, 1), out.data());
  expect_near(out, {-0.0455003F, 0, 1.3997892F});
  activate({ActivateParams::Kind::gelu_tanh}, rows_of(in, 1), out.data());
  expect_near(out, {-0.0454023F, 0, 1.3995715F});
  activate_gated({ActivateParams::Kind::relu}, rows_of(in, 1), rows_of(gate, 1), out.data());
  expect_near(out, {0, 0, -1.5F});
}

TEST(ReferenceOps, SmallOnes) {
  const Row a{1, 2}, b{10, 20};
  Row out(2);
  add(a.data(), b.data(), 2, out.data());
  EXPECT_EQ(out, (Row{11, 22}));
  scale({0.5F}, b.data(), 2, out.data());
  EXPECT_EQ(out, (Row{5, 10}));
  const std::vector<std::int32_t> wanted{1, 2};
  const Row in{1, 2, 3, 4, 5, 6};
  Row two(4);
  select_rows(wanted, rows_of(in, 2), two.data());
  EXPECT_EQ(two, (Row{3, 4, 5, 6}));
}

TEST(ReferenceOps, NormsMayHaveAWeightForEachHead) {
  const Row in{3, 3, 5, 5}, same{1, 2}, own{1, 2, 3, 4};
  Row out(4);
  norm({NormParams::Kind::rms, 0.0F, 2}, same, {}, rows_of(in, 4), out.data());
  expect_near(out, {1, 2, 1, 2});
  norm({NormParams::Kind::rms, 0.0F, 2}, own, {}, rows_of(in, 4), out.data());
  expect_near(out, {1, 2, 3, 4});
}

TEST(ReferenceOps, GatesMayBeNarrower) {
  const Row gate{0, 100}, in{2, 4, 6, 8};
  Row out(4);
  activate_gated({ActivateParams::Kind::sigmoid}, rows_of(gate, 2), rows_of(in, 4), out.data());
  expect_near(out, {1, 2, 6, 8});
  // Both clamped to 2: 2 sigmoid(3.404) (2 + 1).
  const Row nine{9};
  Row one(1);
  activate_gated({ActivateParams::Kind::silu_clamped, 2.0F}, rows_of(nine, 1), rows_of(nine, 1), one.data());
  expect_near(one, {5.8069F}, 1e-3F);
}

TEST(ReferenceOps, SliceAndJoinWorkHeadByHead) {
  const Row in{1, 2, 3, 4, 5, 6}, shared{9};
  Row part(4), joined(6);
  slice({3, 1, 2}, rows_of(in, 6), part.data());
  EXPECT_EQ(part, (Row{2, 3, 5, 6}));
  join({2, 2, 1}, rows_of(part, 4), rows_of(shared, 1), joined.data());
  EXPECT_EQ(joined, (Row{2, 3, 9, 5, 6, 9}));
}

TEST(ReferenceOps, LinearInBlocks) {
  const Row first{1, 1}, second{2, 0}, in{3, 4, 5, 6};
  const WeightMatrix stack[] = {matrix_of(first, 2), matrix_of(second, 2)};
  Row out(2);
  linear_blocks(stack, rows_of(in, 4), 1, out.data());
  EXPECT_EQ(out, (Row{7, 10}));
}

TEST(ReferenceOps, RouteChoosesTheLikeliest) {
  const Row scores{0, std::log(2.0F), std::log(4.0F), 0};
  Row out(4);
  RouteParams params;
  params.used = 2;
  params.normalise = false;
  route(params, {}, rows_of(scores, 4), out.data());
  expect_near(out, {0, 0.25F, 0.5F, 0});
  params.normalise = true;
  params.scale = 3.0F;
  route(params, {}, rows_of(scores, 4), out.data());
  expect_near(out, {0, 1, 2, 0});
  // A bias moves the choice, not the weights.
  const Row bias{10, 0, 0, 0};
  params.used = 1;
  params.normalise = false;
  route(params, bias, rows_of(scores, 4), out.data());
  expect_near(out, {0.375F, 0, 0, 0});
}

TEST(ReferenceOps, RouteKeepsToTheBestGroups) {
  // The best expert is in a group whose two best are worth less than those of the other.
  const Row scores{4, -9, 3, 3};
  Row out(4);
  RouteParams params{RouteParams::Scoring::sigmoid, 1, true, 1.0F, 2, 1};
  route(params, {}, rows_of(scores, 4), out.data());
  expect_near(out, {0, 0, 1, 0});
}

TEST(ReferenceOps, ExpertsAreSummedByTheirWeights) {
  const Row one{1}, two{2}, x{10, 20}, chosen{0, 0.5F, 1, 0.25F};
  const WeightMatrix units[] = {matrix_of(one, 1), matrix_of(two, 1)};
  const Row up_bias{0, 1};
  Row out(2);
  ExpertWeights weights{units, units, units, up_bias, up_bias, up_bias};
  experts({{ActivateParams::Kind::relu}, 2}, weights, rows_of(x, 1), rows_of(chosen, 2), 1, out.data());
  // Second expert: 2 ((2 x + 1)^2) + 1; first: x^2.
  expect_near(out, {0.5F * (2 * 441 + 1), 400 + 0.25F * (2 * 1681 + 1)}, 1e-3F);
}

// One head of width one; keys 0, ln 2, ln 4 and query 1 give weights in the proportion 1 : 2 : 4.
class ReferenceAttention : public testing::Test {
 protected:
  Row run(AttentionParams params, const char* kv = "f32", Row sinks = {}) {
    Graph graph;
    graph.state_groups = 1;
    graph.states.push_back({StateSpec::Kind::paged_kv, 1, 1, 1});
    PlanOptions options{2, 4, 0, 8, 2, find_codec(kv)};
    const std::vector<std::int32_t> states{0};
    auto pages = KvPages::open(graph, 0, states, options);
    EXPECT_TRUE(pages);
    const std::vector<std::int32_t> positions{0, 1, 2}, starts{0, 3}, numbers{3, 0}, page_starts{0, 2};
    const PageTable table{numbers, page_starts};
    Batch batch;
    batch.tokens = batch.positions = positions;
    batch.sequence_starts = starts;
    batch.page_tables = {&table, 1};
    const Row q{1, 1, 1}, k{0, std::log(2.0F), std::log(4.0F)}, v{7, 14, 28};
    Row out(3);
    EXPECT_TRUE(attention(params, {&*pages, 0, &batch, 0, 2}, sinks, rows_of(q, 1), rows_of(k, 1),
                          rows_of(v, 1), out.data()));
    return out;
  }
};

TEST_F(ReferenceAttention, SeesEarlierPositionsOnly) {
  expect_near(run({1, 1, 1, 1, 1.0F}), {7, (7 + 2 * 14) / 3.0F, (7 + 2 * 14 + 4 * 28) / 7.0F}, 1e-5F);
}

TEST_F(ReferenceAttention, WindowHidesOldPositions) {
  expect_near(run({1, 1, 1, 1, 1.0F, 2}), {7, (7 + 2 * 14) / 3.0F, (14 + 2 * 28) / 3.0F}, 1e-5F);
  expect_near(run({1, 1, 1, 1, 1.0F, 1}), {7, 14, 28}, 1e-5F);
}

TEST_F(ReferenceAttention, ScaleAndSoftCap) {
  expect_near(run({1, 1, 1, 1, 0.0F}), {7, 10.5F, 49 / 3.0F}, 1e-5F);
  const float a = std::exp(0.5F * std::tanh(std::log(2.0F) / 0.5F)),
              b = std::exp(0.5F * std::tanh(std::log(4.0F) / 0.5F));
  expect_near(run({1, 1, 1, 1, 1.0F, 0, 0.5F}),
              {7, (7 + a * 14) / (1 + a), (7 + a * 14 + b * 28) / (1 + a + b)}, 1e-4F);
}

TEST_F(ReferenceAttention, SinksTakeTheirShareAndGiveNothing) {
  // A sink of ln 3 weighs 3 beside 1 : 2 : 4.
  expect_near(run({1, 1, 1, 1, 1.0F}, "f32", {std::log(3.0F)}),
              {7 / 4.0F, (7 + 2 * 14) / 6.0F, (7 + 2 * 14 + 4 * 28) / 10.0F}, 1e-5F);
}

TEST_F(ReferenceAttention, EncodersSeeTheWholeSequence) {
  AttentionParams params{1, 1, 1, 1, 1.0F};
  params.causal = false;
  const float all = (7 + 2 * 14 + 4 * 28) / 7.0F;
  expect_near(run(params), {all, all, all}, 1e-5F);
}

TEST_F(ReferenceAttention, KeepsKeysInTheAskedFormat) {
  const Row exact = run({1, 1, 1, 1, 1.0F}), half = run({1, 1, 1, 1, 1.0F}, "f16");
  EXPECT_NE(exact, half);
  expect_near(half, exact, 2e-2F);
}

}  // namespace
}  // namespace pensieve::hal::reference
