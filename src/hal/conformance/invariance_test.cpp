// A sequence's logits are the same bit for bit whatever shares its batch, however its prompt is cut, on any
// number of threads, and after its pages were copied or saved and restored. Promised by the host backends.
#include <gtest/gtest.h>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"

namespace pensieve::hal::conformance {
namespace {

struct InvarianceCase {
  Target target;
  const Codec* codec = nullptr;
  std::string kv;
  bool hybrid = false;  // with recurrent state
};

std::string name_of(const InvarianceCase& c) {
  return std::string(c.hybrid ? "hybrid_" : "") + std::string(c.codec->name) + "_kv_" + c.kv + "_" +
         c.target.name();
}
void PrintTo(const InvarianceCase& c, std::ostream* out) {
  *out << name_of(c);
}

constexpr std::size_t kLength = 45;  // tokens: two pages and a part of a third
constexpr std::int64_t kVocabulary = 96;

TestModel model_of(const InvarianceCase& c) {
  if (c.hybrid) return make_model(hybrid_graph(kVocabulary), *c.codec, 8);
  LlamaShape shape;
  shape.vocabulary = kVocabulary;
  shape.window = 20;
  shape.heads = 8;
  shape.kv_heads = 2;
  shape.head_width = 32;
  shape.hidden = 256;
  return make_model(llama_graph(shape), *c.codec, 8);
}

// The codecs with kernels of their own, and two of those that share the general path.
constexpr std::array<std::string_view, 10> kPaths{"f32",  "f16",  "bf16", "q4_0", "q4_1",
                                                  "q8_0", "q4_k", "q6_k", "q5_k", "iq2_xxs"};

std::vector<InvarianceCase> cases() {
  std::vector<Target> promising{reference_target()};
  for (const Target& target : targets()) {
    if (target.factory->name == "cpu") promising.push_back(target);
  }
  const Graph graph = llama_graph({});
  std::vector<InvarianceCase> all;
  for (const Target& target : promising) {
    const auto backend = target.open(1);
    for (const Codec* codec : codecs()) {
      const Node& linear = graph.nodes[2];
      if (linear.op() != Op::linear || backend == nullptr || !backend->supports(graph, linear, codec))
        continue;
      if (std::find(kPaths.begin(), kPaths.end(), codec->name) == kPaths.end()) continue;
      all.push_back({target, codec, "f16", false});
    }
    const Graph hybrid = hybrid_graph(kVocabulary);
    const Codec* f32 = find_codec("f32");
    const bool recurs = backend != nullptr &&
                        std::all_of(hybrid.nodes.begin(), hybrid.nodes.end(),
                                    [&](const Node& node) { return backend->supports(hybrid, node, f32); });
    if (recurs) all.push_back({target, f32, "f16", true});
    for (const char* kv : {"f32", "q8_0"}) all.push_back({target, find_codec("q4_1"), kv, false});
  }
  return all;
}

std::vector<std::int32_t> part(const std::vector<std::int32_t>& tokens, std::size_t first, std::size_t end) {
  return {tokens.begin() + static_cast<std::ptrdiff_t>(first),
          tokens.begin() + static_cast<std::ptrdiff_t>(end)};
}

class BatchInvariance : public testing::TestWithParam<InvarianceCase> {
 protected:
  void SetUp() override {
    model_ = model_of(GetParam());
    const auto alone = session(2);
    if (alone != nullptr) expected_ = alone->step({{0, tokens_}});
    ASSERT_EQ(expected_.size(), kLength);
  }
  std::unique_ptr<Session> session(std::int32_t threads) {
    Session::Options options;
    options.kv = GetParam().kv;
    options.threads = threads;
    return Session::open(GetParam().target, model_, options);
  }
  // Rows from `first` on must be the expected ones, to the last bit.
  void expect_rows(const Logits& logits, std::size_t first) {
    ASSERT_LE(first + logits.size(), kLength);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      ASSERT_EQ(logits[i], expected_[first + i]) << "row " << first + i << " of the sequence";
    }
  }

  void compare_chunkings() {
    SCOPED_TRACE("prompt in chunks");
    for (const std::size_t chunk : {1U, 3U, 16U, 44U}) {
      SCOPED_TRACE(chunk);
      const auto s = session(2);
      for (std::size_t at = 0; at < kLength; at += chunk) {
        expect_rows(s->step({{0, part(tokens_, at, std::min(at + chunk, kLength))}}), at);
      }
    }
  }

  void compare_mixed_batches() {
    SCOPED_TRACE("among other sequences");
    const auto s = session(2);
    s->step({{5, random_tokens(30, kVocabulary, 1)}, {6, random_tokens(2, kVocabulary, 2)}});
    const Logits rows = s->step({{5, random_tokens(1, kVocabulary, 3)},
                                 {0, part(tokens_, 0, 18)},
                                 {7, random_tokens(50, kVocabulary, 4)}});
    ASSERT_EQ(rows.size(), 69U);
    expect_rows({rows.begin() + 1, rows.begin() + 19}, 0);
    for (std::size_t at = 18; at < kLength; ++at) {  // one token a step, beside other decoding sequences
      const Logits three = s->step(
          {{5, random_tokens(1, kVocabulary, 5)}, {6, random_tokens(1, kVocabulary, 6)}, {0, {tokens_[at]}}});
      ASSERT_EQ(three.size(), 3U);
      expect_rows({three[2]}, at);
    }
  }

  void compare_last_rows() {
    SCOPED_TRACE("only the last row wanted");
    const auto s = session(2);
    expect_rows(s->step({{0, part(tokens_, 0, 40), false}}), 39);
    expect_rows(s->step({{0, part(tokens_, 40, kLength), false}}), kLength - 1);
  }

  void compare_thread_counts() {
    SCOPED_TRACE("thread counts");
    for (const std::int32_t threads : {1, 3}) expect_rows(session(threads)->step({{0, tokens_}}), 0);
  }

  void compare_copied_and_restored_state() {
    SCOPED_TRACE("copied and restored pages");
    const auto s = session(2);
    s->step({{0, part(tokens_, 0, 32)}});
    s->fork(0, 1, 32);
    const std::size_t saved = GetParam().hybrid ? 32 : 20;  // 20 ends within a page
    s->save_and_restore(0, 2, static_cast<std::int32_t>(saved));
    s->step({{0, random_tokens(13, kVocabulary, 9)}});  // the original goes another way
    expect_rows(s->step({{1, part(tokens_, 32, kLength)}}), 32);
    expect_rows(s->step({{2, part(tokens_, saved, kLength)}}), saved);
  }

  std::vector<std::int32_t> tokens_ = random_tokens(kLength, kVocabulary, 21);
  TestModel model_;
  Logits expected_;
};

TEST_P(BatchInvariance, HoldsToTheLastBit) {
  compare_chunkings();
  compare_mixed_batches();
  compare_last_rows();
  compare_thread_counts();
  compare_copied_and_restored_state();
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BatchInvariance);
INSTANTIATE_TEST_SUITE_P(, BatchInvariance, testing::ValuesIn(cases()),
                         [](const auto& of) { return name_of(of.param); });

}  // namespace
}  // namespace pensieve::hal::conformance
