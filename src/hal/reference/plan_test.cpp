// The reference plan's manners: what it refuses and how it says so, its state by page number, and its memory
// figures. Its arithmetic is tested in ops_test.cpp, its invariances in hal/conformance.
#include "hal/reference/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"

namespace pensieve::hal::reference {
namespace {

using conformance::llama_graph;
using conformance::make_model;
using conformance::reference_target;
using testing::HasSubstr;

// A batch that owns its arrays, correct until a test spoils it.
struct OwnedBatch {
  std::vector<std::int32_t> tokens{1, 2, 3, 4}, positions{0, 1, 0, 1}, starts{0, 2, 4}, pages{4, 2},
      page_starts{0, 1, 2};
  std::vector<std::int32_t> output_rows{1, 3}, adapters;
  Batch view() {
    table = {pages, page_starts};
    Batch batch;
    batch.tokens = tokens;
    batch.positions = positions;
    batch.sequence_starts = starts;
    batch.page_tables = {&table, 1};
    batch.output_rows = output_rows;
    batch.adapters = adapters;
    return batch;
  }
  PageTable table;
};

class ReferencePlanTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = make_model(llama_graph({}), *find_codec("q8_0"), 1);
    backend_ = reference_target().open();
    weights_ = conformance::upload(*backend_, model_, buffers_);
    auto plan = backend_->compile(Segment::whole(model_.graph), weights_, options_);
    ASSERT_TRUE(plan) << plan.error().what;
    plan_ = std::move(*plan);
  }
  std::string refusal(OwnedBatch batch) {
    const auto submitted = plan_->submit(batch.view(), {}, {});
    if (submitted) return "accepted";
    EXPECT_NE(submitted.error().code, Error::Code::internal);
    return submitted.error().what;
  }
  std::string compile_refusal(const PlanOptions& options) {
    auto plan = backend_->compile(Segment::whole(model_.graph), weights_, options);
    return plan ? "accepted" : plan.error().what;
  }

  PlanOptions options_{16, 8, 0, 6, 2, find_codec("f16")};
  conformance::TestModel model_;
  std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Weight> weights_;
  std::unique_ptr<Plan> plan_;
};

TEST_F(ReferencePlanTest, RunsACorrectBatch) {
  OwnedBatch batch;
  ASSERT_TRUE(plan_->submit(batch.view(), {}, {}));
  const auto output = plan_->wait();
  ASSERT_TRUE(output);
  EXPECT_EQ(output->logits.size(), 2U * 96U);
  EXPECT_TRUE(output->tokens.empty());
}

TEST_F(ReferencePlanTest, RunsWithoutOutputRowsAndWithoutRows) {
  OwnedBatch silent;
  silent.output_rows.clear();
  ASSERT_TRUE(plan_->submit(silent.view(), {}, {}));
  EXPECT_TRUE(plan_->wait()->logits.empty());
  OwnedBatch empty;
  empty.tokens.clear();
  empty.positions.clear();
  empty.output_rows.clear();
  empty.starts = {0};
  empty.page_starts = {0};
  ASSERT_TRUE(plan_->submit(empty.view(), {}, {}));
  EXPECT_TRUE(plan_->wait());
}

TEST_F(ReferencePlanTest, WaitWithoutSubmitIsRefused) {
  EXPECT_THAT(plan_->wait().error().what, HasSubstr("submit one first"));
}

TEST_F(ReferencePlanTest, NamesWhatIsWrongWithRows) {
  OwnedBatch batch;
  batch.tokens[2] = 96;
  EXPECT_THAT(refusal(batch), HasSubstr("row 2 has token 96, outside the vocabulary of 96"));
  batch = {};
  batch.positions[1] = 5;
  EXPECT_THAT(refusal(batch), HasSubstr("row 1 of sequence 0 has position 5"));
  batch = {};
  batch.positions = {-1, 0, 0, 1};
  EXPECT_THAT(refusal(batch), HasSubstr("position -1"));
  batch = {};
  batch.output_rows = {3, 1};
  EXPECT_THAT(refusal(batch), HasSubstr("output row 1 after 3"));
  batch.output_rows = {4};
  EXPECT_THAT(refusal(batch), HasSubstr("output row 4"));
  batch = {};
  batch.positions.pop_back();
  EXPECT_THAT(refusal(batch), HasSubstr("3 positions for 4 rows"));
  batch = {};
  batch.starts = {0, 3, 2};
  EXPECT_THAT(refusal(batch), HasSubstr("sequence_starts"));
  batch.starts = {0, 5, 4};
  EXPECT_THAT(refusal(batch), HasSubstr("sequence 1 starts at row 5"));
  batch = {};
  batch.adapters = {-1, 3};
  EXPECT_THAT(refusal(batch), HasSubstr("adapter 3"));
}

TEST_F(ReferencePlanTest, NamesWhatIsBeyondThePlan) {
  OwnedBatch batch;
  batch.tokens.assign(7, 0);
  EXPECT_THAT(refusal(batch), HasSubstr("7 rows, but the plan was compiled for 6"));
  batch = {};
  batch.starts = {0, 1, 2, 4};
  EXPECT_THAT(refusal(batch), HasSubstr("3 sequences"));
}

TEST_F(ReferencePlanTest, NamesWhatIsWrongWithPages) {
  OwnedBatch batch;
  batch.pages[1] = 8;
  EXPECT_THAT(refusal(batch), HasSubstr("page 8 of sequence 1"));
  batch.pages[1] = -1;
  EXPECT_THAT(refusal(batch), HasSubstr("page -1"));
  batch = {};
  batch.page_starts = {0, 0, 2};
  EXPECT_THAT(refusal(batch), HasSubstr("sequence 0 reaches position 1 with 0 pages"));
  batch.page_starts = {0, 1, 3};
  EXPECT_THAT(refusal(batch), HasSubstr("outside its 2 pages"));
  batch.page_starts = {0, 2};
  EXPECT_THAT(refusal(batch), HasSubstr("page table 0 lists 1 sequences"));
  batch = {};
  batch.positions = {0, 1, 6, 7};
  EXPECT_THAT(refusal(batch),
              HasSubstr("sequence 1 continues at position 6, but its page 2 in group 0 was never written"));
}

TEST_F(ReferencePlanTest, PagesAreCopiedSavedAndRestoredByNumber) {
  EXPECT_THAT(plan_->copy_state(std::vector{StateCopy{0, 4, 5}}).error().what, HasSubstr("never written"));
  OwnedBatch batch;
  ASSERT_TRUE(plan_->submit(batch.view(), {}, {}));
  ASSERT_TRUE(plan_->wait());
  // Two layers, 16 tokens, 2 heads of 64 halves, keys and values.
  ASSERT_EQ(plan_->page_bytes(0), std::size_t{2} * 16 * 2 * 64 * 2 * 2);
  EXPECT_EQ(plan_->page_bytes(1), 0U);
  std::vector<std::byte> page(plan_->page_bytes(0)), again(page.size());
  ASSERT_TRUE(plan_->save_page(0, 4, page));
  ASSERT_TRUE(plan_->restore_page(0, 7, page));
  ASSERT_TRUE(plan_->copy_state(std::vector{StateCopy{0, 7, 0}}));
  ASSERT_TRUE(plan_->save_page(0, 0, again));
  EXPECT_EQ(page, again);
  EXPECT_THAT(plan_->save_page(0, 8, page).error().what, HasSubstr("page 8 of group 0"));
  EXPECT_THAT(plan_->save_page(1, 0, page).error().what, HasSubstr("group 1"));
  page.pop_back();
  EXPECT_THAT(plan_->restore_page(0, 1, page).error().what, HasSubstr("bytes"));
}

TEST_F(ReferencePlanTest, StateTakesMemoryOnlyWhenWritten) {
  EXPECT_EQ(plan_->memory().state, 0U);
  OwnedBatch batch;
  ASSERT_TRUE(plan_->submit(batch.view(), {}, {}));
  EXPECT_EQ(plan_->memory().state, 2 * plan_->page_bytes(0));
  const MemoryEstimate estimate = backend_->estimate(Segment::whole(model_.graph), weights_, options_);
  EXPECT_EQ(estimate.state, 8 * plan_->page_bytes(0));
  EXPECT_GT(estimate.scratch, 0U);
  std::size_t weights = 0;
  for (const Weight& weight : weights_) weights += weight.bytes->size();
  EXPECT_EQ(estimate.weights, weights);
}

TEST_F(ReferencePlanTest, CompileNamesWhatItCannotDo) {
  PlanOptions options = options_;
  options.kv_codec = nullptr;
  EXPECT_THAT(compile_refusal(options), HasSubstr("no codec was given"));
  options.kv_codec = find_codec("q4_k");
  EXPECT_THAT(compile_refusal(options), HasSubstr("kept as q4_k"));
  options = options_;
  options.max_rows = 0;
  EXPECT_THAT(compile_refusal(options), HasSubstr("0 rows"));
  weights_[3].codec = nullptr;
  EXPECT_THAT(compile_refusal(options_), HasSubstr("weight layer0.k: was not given"));
  weights_[3].codec = find_codec("f32");  // four times the bytes that are there
  EXPECT_THAT(compile_refusal(options_), HasSubstr("weight layer0.k: has"));
  weights_[3].codec = find_codec("q8_0");
  weights_[3].shape = {1, 2};
  EXPECT_THAT(compile_refusal(options_), HasSubstr("has shape [1, 2]"));
}

TEST_F(ReferencePlanTest, SegmentsMustNameTheirInputs) {
  const auto plan = backend_->compile({&model_.graph, 4, 9, {}, {}}, weights_, options_);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().what, HasSubstr("not among the segment's inputs"));
}

TEST(ReferenceBackendTest, RefusesWhatItHasNot) {
  BackendOptions options;
  options.isa = "avx2";
  const auto opened = open_backend("reference", options);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().what, HasSubstr("avx2"));
}

TEST(ReferenceBackendTest, ReadsWhatWasWrittenWithinBounds) {
  const auto backend = reference_target().open();
  auto buffer = backend->allocate(8, Memory::host_visible);
  ASSERT_TRUE(buffer);
  const std::vector<std::byte> in{std::byte{1}, std::byte{2}};
  std::vector<std::byte> out(2);
  ASSERT_TRUE(backend->write(**buffer, 6, in));
  ASSERT_TRUE(backend->read(**buffer, 6, out));
  EXPECT_EQ(in, out);
  EXPECT_FALSE(backend->write(**buffer, 7, in));
  EXPECT_FALSE(backend->read(**buffer, 9, out));
  EXPECT_FALSE(backend->allocate(SIZE_MAX, Memory::weights));
  auto adopted = backend->adopt(in);
  ASSERT_TRUE(adopted);
  EXPECT_FALSE(backend->write(**adopted, 0, out)) << "adopted bytes are read-only";
}

}  // namespace
}  // namespace pensieve::hal::reference
