// A graph cut in two, with its live values handed over as buffers, gives the same logits as the whole; on
// every backend.
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"

namespace pensieve::hal::conformance {
namespace {

// Values computed before `cut` and read from there on.
std::vector<std::uint32_t> live_values(const Graph& graph, std::uint32_t cut) {
  std::set<std::uint32_t> before, crossing;
  for (std::uint32_t i = 0; i < cut; ++i) before.insert(graph.nodes[i].output);
  for (std::uint32_t i = cut; i < graph.nodes.size(); ++i) {
    for (const std::uint32_t input : graph.nodes[i].inputs) {
      if (before.count(input) != 0) crossing.insert(input);
    }
  }
  return {crossing.begin(), crossing.end()};
}

std::vector<Target> all_targets() {
  std::vector<Target> all = targets();
  all.push_back(reference_target());
  return all;
}

class Segments : public testing::TestWithParam<Target> {};

Logits run_in_two(Backend& backend, const TestModel& model, std::uint32_t cut,
                  const std::vector<std::int32_t>& tokens) {
  std::vector<std::unique_ptr<Buffer>> weight_buffers, value_buffers;
  const std::vector<Weight> weights = upload(backend, model, weight_buffers);
  const PlanOptions options{16, 8, 0, 64, 4, find_codec("f32")};
  const auto node_count = static_cast<std::uint32_t>(model.graph.nodes.size());
  const std::vector<std::uint32_t> live = live_values(model.graph, cut);
  auto first = backend.compile({&model.graph, 0, cut, {}, live}, weights, options);
  auto second = backend.compile({&model.graph, cut, node_count, live, {}}, weights, options);
  if (!first || !second) {
    ADD_FAILURE() << (first ? second.error().what : first.error().what);
    return {};
  }
  std::vector<Buffer*> handed;
  for (const std::uint32_t value : live) {
    auto buffer = backend.allocate(
        static_cast<std::size_t>(model.graph.values[value].width) * 64 * sizeof(float), Memory::scratch);
    handed.push_back(buffer->get());
    value_buffers.push_back(std::move(*buffer));
  }
  const auto rows = static_cast<std::int32_t>(tokens.size());
  std::vector<std::int32_t> positions(tokens.size());
  std::iota(positions.begin(), positions.end(), 0);
  const std::vector<std::int32_t> starts{0, rows}, pages{3, 1, 6, 2}, page_starts{0, 4};
  const std::vector<PageTable> tables(model.graph.state_groups, PageTable{pages, page_starts});
  Batch batch;
  batch.tokens = tokens;
  batch.positions = batch.output_rows = positions;
  batch.sequence_starts = starts;
  batch.page_tables = tables;
  const std::vector<Draw> draws(tokens.size(), Draw{.wants_logits = true});
  batch.draws = draws;
  EXPECT_TRUE((*first)->submit(batch, {}, handed));
  EXPECT_TRUE((*first)->wait());
  EXPECT_TRUE((*second)->submit(batch, handed, {}));
  const auto output = (*second)->wait();
  Logits logits;
  const auto vocabulary = static_cast<std::size_t>(model.graph.vocabulary);
  for (std::size_t r = 0; output && r < tokens.size() && output->logits.size() == tokens.size() * vocabulary;
       ++r) {
    const auto values = output->logits.subspan(r * vocabulary, vocabulary);
    logits.emplace_back(values.begin(), values.end());
  }
  return logits;
}

TEST_P(Segments, InTwoGiveTheLogitsOfTheWhole) {
  const TestModel model = make_model(llama_graph({}), *find_codec("f32"), 12);
  const std::vector<std::int32_t> tokens = random_tokens(37, model.graph.vocabulary, 1);
  const auto whole = Session::open(GetParam(), model);
  const auto backend = GetParam().open();
  ASSERT_TRUE(whole != nullptr && backend != nullptr);
  const Logits expected = whole->step({{0, tokens}});
  // Between layers one value lives; within a layer several.
  const std::uint32_t border = model.graph.layer_cuts[1];
  for (const std::uint32_t cut : {border, border + 4}) {
    SCOPED_TRACE(cut);
    const Logits logits = run_in_two(*backend, model, cut, tokens);
    if (GetParam().factory->name == "reference") {
      EXPECT_EQ(logits, expected);
    } else {
      expect_close(expected, logits, {1e-5, 0});
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Segments);
INSTANTIATE_TEST_SUITE_P(, Segments, testing::ValuesIn(all_targets()),
                         [](const auto& of) { return of.param.name(); });

}  // namespace
}  // namespace pensieve::hal::conformance
