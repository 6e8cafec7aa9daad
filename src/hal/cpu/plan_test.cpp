// Plans as the engine sees them: long contexts over several splits, any number of threads, state by pages,
// bad batches.
#include "hal/cpu/plan.h"

#include <gtest/gtest.h>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"
#include "hal/cpu/dispatch.h"

namespace pensieve::hal::cpu {
namespace {

using conformance::Logits;
using conformance::Piece;
using conformance::Session;

std::vector<conformance::Target> cpu_targets() {
  std::vector<conformance::Target> found;
  for (const auto& target : conformance::targets()) {
    if (target.factory->name == "cpu") found.push_back(target);
  }
  return found;
}

conformance::TestModel small_model(const char* codec, std::int64_t window = 0, std::int64_t head_width = 40) {
  conformance::LlamaShape shape;
  shape.vocabulary = 64;
  shape.width = 256;
  shape.heads = 12;
  shape.kv_heads = 4;
  shape.head_width = head_width;  // 40 is no multiple of 16 or 32
  shape.hidden = 256;
  shape.window = window;
  shape.rope.head_width = shape.rope.rotary_width = head_width;
  return conformance::make_model(conformance::llama_graph(shape), *find_codec(codec), 21);
}

// Logits of every row of a prompt that is fed in pieces of `chunk`.
Logits in_chunks(Session& session, const std::vector<std::int32_t>& tokens, std::size_t chunk, int sequence) {
  Logits all;
  for (std::size_t at = 0; at < tokens.size(); at += chunk) {
    const std::size_t end = std::min(at + chunk, tokens.size());
    const auto from = tokens.begin() + static_cast<std::ptrdiff_t>(at),
               to = tokens.begin() + static_cast<std::ptrdiff_t>(end);
    for (auto& row : session.step({Piece{sequence, {from, to}}})) all.push_back(std::move(row));
  }
  return all;
}

TEST(CpuPlan, LongContextsAreTheSameBitsInAnyChunksOnAnyThreads) {
  const auto model = small_model("q8_0", 300);
  const auto tokens = conformance::random_tokens(400, 64, 5);  // two splits
  for (const auto& target : cpu_targets()) {
    for (const char* kv : {"f16", "q8_0"}) {
      Logits first;
      for (const std::int32_t threads : {1, 2, 3}) {
        Session::Options options;
        options.kv = kv;
        options.threads = threads;
        options.page_tokens = 24;  // divides neither a split nor a group of keys
        options.page_count = 80;
        options.max_rows = 400;
        auto session = Session::open(target, model, options);
        ASSERT_NE(session, nullptr);
        const std::size_t chunk = threads == 1 ? 400 : threads == 2 ? 29 : 64;
        const Logits got = in_chunks(*session, tokens, chunk, 1);
        if (first.empty()) first = got;
        ASSERT_EQ(got, first) << target.name() << " kv " << kv << " threads " << threads;
      }
    }
  }
}

TEST(CpuPlan, DecodingAloneEqualsReadingAsAPrompt) {
  const auto model = small_model("q4_1");
  const auto tokens = conformance::random_tokens(540, 64, 6);
  for (const auto& target : cpu_targets()) {
    Session::Options options;
    options.kv = "f16";
    options.max_rows = 540;
    options.page_count = 80;
    auto session = Session::open(target, model, options);
    ASSERT_NE(session, nullptr);
    const Logits prompt = in_chunks(*session, tokens, 540, 1);
    in_chunks(*session, {tokens.begin(), tokens.begin() + 500}, 250, 2);
    const Logits decoded = in_chunks(*session, {tokens.begin() + 500, tokens.end()}, 1, 2);
    for (std::size_t i = 0; i < decoded.size(); ++i)
      ASSERT_EQ(decoded[i], prompt[500 + i]) << target.name() << " token " << i;
  }
}

TEST(CpuPlan, LongContextsMatchTheReference) {
  const auto model = small_model("f32", 300);
  const auto tokens = conformance::random_tokens(530, 64, 7);
  Session::Options options;
  options.max_rows = 530;
  options.page_count = 80;
  auto judge = Session::open(conformance::reference_target(), model, options);
  ASSERT_NE(judge, nullptr);
  const Logits wanted = in_chunks(*judge, tokens, 530, 1);
  for (const auto& target : cpu_targets()) {
    auto session = Session::open(target, model, options);
    ASSERT_NE(session, nullptr);
    conformance::expect_close(wanted, in_chunks(*session, tokens, 530, 1), {2e-5, 0});
  }
}

class CpuBadBatch : public testing::Test {
 protected:
  void SetUp() override {
    Session::Options options;
    options.max_rows = 4;
    options.page_count = 4;
    session = Session::open(cpu_targets().back(), model, options);
    ASSERT_NE(session, nullptr);
  }
  // Submits a batch of rows at `positions`, which must fail with `word` in the message.
  void expect_refused(std::vector<std::int32_t> tokens, std::vector<std::int32_t> positions,
                      std::vector<std::int32_t> pages, const char* word) {
    const std::vector<std::int32_t> starts{0, static_cast<std::int32_t>(tokens.size())};
    const std::vector<std::int32_t> page_starts{0, static_cast<std::int32_t>(pages.size())};
    const std::vector<PageTable> tables(model.graph.state_groups, PageTable{pages, page_starts});
    Batch batch;
    batch.tokens = tokens;
    batch.positions = positions;
    batch.sequence_starts = starts;
    batch.page_tables = tables;
    const auto submitted = session->plan().submit(batch, {}, {});
    ASSERT_FALSE(submitted.has_value());
    EXPECT_EQ(submitted.error().code, Error::Code::invalid);
    EXPECT_NE(submitted.error().what.find(word), std::string::npos) << submitted.error().what;
  }
  conformance::TestModel model = small_model("f32");
  std::unique_ptr<Session> session;
};

TEST_F(CpuBadBatch, IsRefusedWithTheReason) {
  expect_refused({1, 2, 3, 4, 5}, {0, 1, 2, 3, 4}, {0}, "5 rows");
  expect_refused({1, 2}, {0, 2}, {0}, "does not follow");
  expect_refused({1}, {-1}, {0}, "position -1");
  expect_refused({64}, {0}, {0}, "token 64");
  expect_refused({1}, {0}, {4}, "page 4");
  expect_refused({1}, {0}, {-1}, "page -1");
  expect_refused({1}, {16}, {0}, "position 16");
  // and the plan still works
  EXPECT_EQ(session->step({Piece{1, {1, 2, 3}}}).size(), 3U);
}

TEST_F(CpuBadBatch, StateOutOfRangeIsRefused) {
  Plan& plan = session->plan();
  std::vector<std::byte> page(plan.page_bytes(0));
  EXPECT_FALSE(plan.save_page(0, 4, page).has_value());
  EXPECT_FALSE(plan.save_page(9, 0, page).has_value());
  EXPECT_FALSE(plan.restore_page(0, 0, std::span(page).first(1)).has_value());
  const StateCopy copy{0, 0, 77};
  EXPECT_FALSE(plan.copy_state({&copy, 1}).has_value());
  EXPECT_FALSE(plan.wait().has_value());
}

TEST(CpuPlan, KvTypesTakeHalfAndAQuarterOfTheMemory) {
  const auto model = small_model("f32", 0, 64);
  std::vector<std::size_t> bytes;
  for (const char* kv : {"f32", "f16", "q8_0"}) {
    Session::Options options;
    options.kv = kv;
    auto session = Session::open(cpu_targets().back(), model, options);
    ASSERT_NE(session, nullptr);
    bytes.push_back(session->plan().page_bytes(0));
  }
  EXPECT_EQ(2 * bytes[1], bytes[0]);
  EXPECT_LE(3 * bytes[2],
            bytes[0]);  // heads of 40 columns are kept as blocks of 32: part of the second is unused
}

}  // namespace
}  // namespace pensieve::hal::cpu
