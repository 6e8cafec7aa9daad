// How much context a model gets: as trained, as asked for, or as memory allows, and what is said when it does
// not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/runner.h"

namespace pensieve::engine {
namespace {

constexpr std::size_t kMebibyte = 1024 * 1024;

Graph two_layers() {  // 2 layers * 3 heads * (64 + 64) numbers: 1536 bytes for a token in f16
  Graph graph;
  graph.trained_context = 8192;
  graph.vocabulary = 1000;
  graph.states.assign(2, StateSpec{.heads = 3, .key_width = 64, .value_width = 64});
  graph.state_groups = 1;
  return graph;
}

TEST(Capacity, TakesTheTrainedContextWhereMemoryAllows) {
  const auto capacity = choose_capacity(two_layers(), Options{}, 1024 * kMebibyte);
  ASSERT_TRUE(capacity) << capacity.error().what;
  EXPECT_EQ(capacity->context, 8192);
  EXPECT_EQ(capacity->plan.page_count, 4 * 8192 / 16) << "four contexts are kept";
  EXPECT_EQ(capacity->plan.max_rows, 512);
  EXPECT_EQ(capacity->plan.max_sequences, 16);
  EXPECT_EQ(capacity->plan.kv_codec->name, "f16");
}

TEST(Capacity, TakesWhatMemoryAllows) {
  const auto capacity = choose_capacity(two_layers(), Options{}, 6 * kMebibyte);  // 4096 tokens
  ASSERT_TRUE(capacity);
  EXPECT_EQ(capacity->context, 4096);
  EXPECT_EQ(capacity->plan.page_count, 256);
}

TEST(Capacity, AnExplicitContextThatDoesNotFitIsAnError) {
  const auto refused = choose_capacity(two_layers(), Options{.context = 8192}, 6 * kMebibyte);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Error::Code::exhausted);
  EXPECT_EQ(refused.error().field, "context");
  EXPECT_THAT(refused.error().what, ::testing::HasSubstr("12.0 MiB"));
  EXPECT_THAT(refused.error().what, ::testing::HasSubstr("6.0 MiB"));
  EXPECT_THAT(refused.error().numbers,
              ::testing::Contains(std::pair<std::string, std::int64_t>("needed_bytes", 12 * kMebibyte)));
  EXPECT_TRUE(choose_capacity(two_layers(), Options{.context = 4096}, 6 * kMebibyte));
}

TEST(Capacity, TooLittleMemoryForAnything) {
  const auto refused = choose_capacity(two_layers(), Options{}, 100 * 1024);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Error::Code::exhausted);
}

TEST(Capacity, KvTokensBoundThePoolAndTheContext) {
  const auto bounded = choose_capacity(two_layers(), Options{.kv_tokens = 1000}, 1024 * kMebibyte);
  ASSERT_TRUE(bounded);
  EXPECT_EQ(bounded->context, 1000);
  EXPECT_EQ(bounded->plan.page_count, 63);
  const auto both =
      choose_capacity(two_layers(), Options{.context = 512, .kv_tokens = 100000}, 1024 * kMebibyte);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->context, 512);
  EXPECT_EQ(both->plan.page_count, 6250);
  EXPECT_EQ(choose_capacity(two_layers(), Options{.context = 2000, .kv_tokens = 1000}, 1024 * kMebibyte)
                .error()
                .code,
            Error::Code::invalid);
  EXPECT_EQ(choose_capacity(two_layers(), Options{.kv_tokens = 100000}, 6 * kMebibyte).error().field,
            "kv_tokens");
}

TEST(Capacity, RowsCoverEverySequence) {
  const auto capacity =
      choose_capacity(two_layers(), Options{.parallel = 64, .step_rows = 8}, 1024 * kMebibyte);
  ASSERT_TRUE(capacity);
  EXPECT_EQ(capacity->plan.max_rows, 64);
}

TEST(Capacity, AModelWithoutStateNeedsNoMemory) {
  Graph graph = two_layers();
  graph.states.clear();
  const auto capacity = choose_capacity(graph, Options{}, 0);
  ASSERT_TRUE(capacity);
  EXPECT_EQ(capacity->context, 8192);
}

TEST(Capacity, RefusesFormatsByName) {
  EXPECT_EQ(choose_capacity(two_layers(), Options{.kv_type = "q9"}, kMebibyte).error().field, "kv_type");
  Graph graph = two_layers();
  graph.states[0].key_width = 40;
  graph.states[0].heads = 1;
  EXPECT_TRUE(choose_capacity(graph, Options{}, 1024 * kMebibyte));
  EXPECT_THAT(choose_capacity(graph, Options{.kv_type = "q8_0"}, 1024 * kMebibyte).error().what,
              ::testing::HasSubstr("40"));
}

TEST(Capacity, GivesEachRunningSequenceASlotAndTheCacheSome) {
  Graph graph = two_layers();
  StateSpec state;
  state.kind = StateSpec::Kind::recurrent;
  state.sequence_elements = 1 << 18;  // 1 MiB
  graph.states.push_back(state);
  const auto some = choose_capacity(graph, Options{.parallel = 4}, 100 * kMebibyte);
  ASSERT_TRUE(some) << some.error().what;
  EXPECT_EQ(some->plan.slot_count, 4 + 96 / 8);
  const auto none = choose_capacity(graph, Options{.parallel = 4, .prefix_cache = false}, 100 * kMebibyte);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->plan.slot_count, 4);
  EXPECT_EQ(choose_capacity(graph, Options{.parallel = 400}, 100 * kMebibyte).error().field, "parallel");
  EXPECT_EQ(choose_capacity(two_layers(), Options{}, 1024 * kMebibyte)->plan.slot_count, 0);
}

}  // namespace
}  // namespace pensieve::engine
