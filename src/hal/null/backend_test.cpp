// The null backend as the engine uses it: scripted tokens by position, logits that agree with them, failure
// on demand.
#include "hal/null/backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "hal/backends.h"

namespace pensieve::hal {
namespace {

struct TwoSequences {  // rows: a prompt of three tokens, and one token of an answer at position 9
  std::array<std::int32_t, 4> tokens{5, 6, 7, 8}, positions{0, 1, 2, 9};
  std::array<std::int32_t, 3> starts{0, 3, 4};
  std::array<std::int32_t, 2> outputs{2, 3};
  std::array<Draw, 2> draws;
  Batch batch() const {
    return {.tokens = tokens,
            .positions = positions,
            .sequence_starts = starts,
            .page_tables = {},
            .slots = {},
            .adapters = {},
            .output_rows = outputs,
            .draws = draws};
  }
};

std::unique_ptr<Plan> compile(Backend& backend, std::int64_t vocabulary) {
  Graph graph;
  graph.vocabulary = vocabulary;
  return std::move(*backend.compile(Segment::whole(graph), {}, {}));
}

TEST(NullBackend, AnswersTheScriptForEachOutputRow) {
  auto backend = make_null_backend(
      {[](std::int32_t token, std::int32_t position, std::int64_t) { return token * 100 + position; }});
  auto plan = compile(*backend, 1000);
  const TwoSequences two;
  ASSERT_TRUE(plan->submit(two.batch(), {}, {}));
  const auto output = plan->wait();
  ASSERT_TRUE(output);
  EXPECT_EQ(std::vector(output->tokens.begin(), output->tokens.end()), (std::vector<std::int32_t>{702, 809}));
  EXPECT_TRUE(output->logits.empty());
}

TEST(NullBackend, LogitsOnDemandFavourTheScriptedToken) {
  for (const bool draws_tokens : {true, false}) {
    auto backend = make_null_backend({default_null_token, -1, draws_tokens});
    EXPECT_EQ(backend->info().draws_tokens, draws_tokens);
    auto plan = compile(*backend, 256);
    TwoSequences two;
    two.draws[1].wants_logits = draws_tokens;
    ASSERT_TRUE(plan->submit(two.batch(), {}, {}));
    const auto output = plan->wait();
    ASSERT_TRUE(output);
    ASSERT_EQ(output->logits.size(), 2U * 256U);
    EXPECT_EQ(output->tokens.size(), draws_tokens ? 2U : 0U);
    const auto row = output->logits.subspan(256);
    EXPECT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), default_null_token(8, 9, 256));
  }
}

TEST(NullBackend, DefaultTextAvoidsBothEndsOfTheVocabulary) {
  for (const std::int64_t vocabulary : {1, 4, 256, 49152, 151936}) {
    for (std::int32_t position = 0; position < 3000; ++position) {
      const std::int64_t token = default_null_token(0, position, vocabulary);
      ASSERT_GE(token, vocabulary / 4);
      ASSERT_LT(token, std::max<std::int64_t>(vocabulary / 4 + vocabulary / 2, 1));
    }
  }
}

TEST(NullBackend, FailsInTheStepItWasTold) {
  auto backend = make_null_backend({default_null_token, 1});
  auto plan = compile(*backend, 256);
  const TwoSequences two;
  for (const bool works : {true, false, true}) {
    ASSERT_TRUE(plan->submit(two.batch(), {}, {}));
    EXPECT_EQ(plan->wait().has_value(), works);
  }
}

TEST(NullBackend, BuffersHaveASizeAndNoContent) {
  auto backend = make_null_backend({default_null_token});
  auto buffer = backend->allocate(1ULL << 40, Memory::weights);  // costs nothing, however large
  ASSERT_TRUE(buffer);
  std::array<std::byte, 8> bytes{std::byte{1}};
  EXPECT_TRUE(backend->write(**buffer, 0, bytes));
  EXPECT_TRUE(backend->read(**buffer, (1ULL << 40) - 8, bytes));
  EXPECT_EQ(bytes[0], std::byte{0});
  EXPECT_FALSE(backend->read(**buffer, (1ULL << 40) - 7, bytes));
}

TEST(NullBackend, IsFoundByNameAndNeverChosenByItself) {
  const auto all = backends();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [](const BackendFactory* factory) { return factory->name == "null"; });
  ASSERT_NE(found, all.end());
  EXPECT_LT((*found)->preference, 0);
  EXPECT_TRUE((*found)->open({}));
  EXPECT_EQ((*found)->probe()->size(), 1U);
}

}  // namespace
}  // namespace pensieve::hal
