// Every codec in embed and linear on every backend and instruction set that takes it, against the reference;
// and a whole small model in each codec, with each way of keeping keys and values. A new codec or backend
// needs no edit here.
#include <gtest/gtest.h>

#include <algorithm>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"

namespace pensieve::hal::conformance {
namespace {

struct CodecCase {
  const Codec* codec = nullptr;
  Target target;
};

Graph embed_graph(std::int64_t width) {
  GraphWriter g(width);
  return g.finish(g.embed(width));
}

Graph linear_graph(std::int64_t in, std::int64_t out, bool bias) {
  GraphWriter g(out);
  return g.finish(g.linear(g.embed(in), out, "weight", bias));
}

// Whether the backend takes `codec` for the last node but select_rows of `graph`.
bool takes(const Target& target, const Graph& graph, const Codec& codec) {
  const auto backend = target.open(1);
  const Node& node = graph.nodes[graph.nodes.size() - 2];
  return backend != nullptr && backend->supports(graph, node, &codec);
}

std::vector<CodecCase> cases_of(const Graph& graph) {
  std::vector<CodecCase> cases;
  for (const Target& target : targets()) {
    for (const Codec* codec : codecs()) {
      if (takes(target, graph, *codec)) cases.push_back({codec, target});
    }
  }
  return cases;
}

std::vector<CodecCase> embed_cases() {
  return cases_of(embed_graph(256));
}
std::vector<CodecCase> linear_cases() {
  return cases_of(linear_graph(256, 32, false));
}

template <class Op>
std::string name_of(const CodecCase& c, Op op) {
  return std::string(op) + "_" + std::string(c.codec->name) + "_" + c.target.name();
}

void PrintTo(const CodecCase& c, std::ostream* out) {
  *out << name_of(c, "codec");
}

void compare(const CodecCase& c, const TestModel& model, const Session::Options& options,
             Tolerance tolerance) {
  const auto wanted = Session::open(reference_target(), model, options);
  const auto got = Session::open(c.target, model, options);
  if (wanted == nullptr || got == nullptr) return;
  const std::int64_t vocabulary = model.graph.vocabulary;
  const std::vector<std::vector<Piece>> steps{
      {{0, random_tokens(1, vocabulary, 1)}},
      {{0, random_tokens(1, vocabulary, 2)}, {1, random_tokens(2, vocabulary, 3)}},
      {{2, random_tokens(40, vocabulary, 4), false},
       {0, random_tokens(1, vocabulary, 5)},
       {1, random_tokens(9, vocabulary, 6)}}};
  for (const std::vector<Piece>& pieces : steps)
    expect_close(wanted->step(pieces), got->step(pieces), tolerance);
}

class EveryEmbed : public testing::TestWithParam<CodecCase> {};

TEST_P(EveryEmbed, AgreesWithTheReference) {
  const Codec& codec = *GetParam().codec;
  const std::int64_t block = codec.block_elements;
  for (const std::int64_t width :
       block > 1 ? std::vector{block, 3 * block} : std::vector<std::int64_t>{5, 64, 77}) {
    SCOPED_TRACE(width);
    compare(GetParam(), make_model(embed_graph(width), codec, 3, &codec), {},
            {1e-6, 0});  // decoding is exact
  }
}

class EveryLinear : public testing::TestWithParam<CodecCase> {};

TEST_P(EveryLinear, AgreesWithTheReference) {
  const Codec& codec = *GetParam().codec;
  const std::int64_t block = codec.block_elements;
  const auto widths = block > 1 ? std::vector<std::int64_t>{block, 3 * block, 9 * block}
                                : std::vector<std::int64_t>{5, 64, 331};
  for (const std::int64_t in : widths) {
    for (const std::int64_t out : {3, 16, 97}) {
      SCOPED_TRACE(std::to_string(in) + " -> " + std::to_string(out));
      compare(GetParam(), make_model(linear_graph(in, out, out == 97), codec, 4), {}, tolerance_for(codec));
    }
  }
}

// Devices take other kernels for hundreds of rows, and for gates there.
TEST_P(EveryLinear, AgreesForManyRows) {
  const Codec& codec = *GetParam().codec;
  const std::int64_t width = 256, hidden = 512;
  GraphWriter g(width);
  const std::uint32_t x = g.embed(width);
  const std::uint32_t inner =
      g.activate_gated(g.linear(x, hidden, "gate"), g.linear(x, hidden, "up"), ActivateParams::Kind::silu);
  const TestModel model = make_model(g.finish(g.add(x, g.linear(inner, width, "down", true))), codec, 5);
  Session::Options options;
  options.max_rows = 300;
  const auto wanted = Session::open(reference_target(), model, options);
  const auto got = Session::open(GetParam().target, model, options);
  if (wanted == nullptr || got == nullptr) return;
  const std::vector<Piece> pieces{{0, random_tokens(290, width, 7)}, {1, random_tokens(10, width, 8), false}};
  Tolerance tolerance = tolerance_for(codec);
  tolerance.largest *= 3;
  tolerance.mean_square *= 3;
  expect_close(wanted->step(pieces), got->step(pieces), tolerance);
}

struct ModelCase {
  CodecCase base;
  std::string kv;
};

void PrintTo(const ModelCase& c, std::ostream* out) {
  *out << name_of(c.base, "llama") << ", kv " << c.kv;
}

std::vector<ModelCase> model_cases() {
  std::vector<ModelCase> cases;
  for (const CodecCase& base : linear_cases()) {
    cases.push_back({base, "f16"});
    if (base.codec->name != "f32" && base.codec->name != "q4_1")
      continue;  // how state is kept hardly depends on weights
    for (const char* kv : {"f32", "q8_0"}) cases.push_back({base, kv});
  }
  return cases;
}

class EveryModel : public testing::TestWithParam<ModelCase> {};

TEST_P(EveryModel, AgreesWithTheReference) {
  const Codec& codec = *GetParam().base.codec;
  LlamaShape shape;
  shape.window = 24;
  shape.biases = shape.head_norms = codec.block_elements > 1;
  shape.soft_cap = codec.name == "f16" ? 20.0F : 0.0F;
  shape.rope.pairing = codec.name == "q4_1" ? RopeParams::Pairing::halves : RopeParams::Pairing::interleaved;
  Session::Options options;
  options.kv = GetParam().kv;
  // Differences grow from layer to layer, most of all those of 8-bit activations.
  Tolerance tolerance = tolerance_for(codec);
  if (GetParam().kv != "f32")
    tolerance = looser(tolerance, GetParam().kv == "f16" ? Tolerance{3e-3, 0} : Tolerance{0, 1e-3});
  tolerance = {tolerance.largest * 3, tolerance.mean_square * 10};
  compare(GetParam().base, make_model(llama_graph(shape), codec, 6), options, tolerance);
}

std::string model_name(const testing::TestParamInfo<ModelCase>& info) {
  return name_of(info.param.base, "llama") + "_kv_" + info.param.kv;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryEmbed);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryLinear);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryModel);
INSTANTIATE_TEST_SUITE_P(, EveryEmbed, testing::ValuesIn(embed_cases()),
                         [](const auto& of) { return name_of(of.param, "embed"); });
INSTANTIATE_TEST_SUITE_P(, EveryLinear, testing::ValuesIn(linear_cases()),
                         [](const auto& of) { return name_of(of.param, "linear"); });
INSTANTIATE_TEST_SUITE_P(, EveryModel, testing::ValuesIn(model_cases()), model_name);

// The backend that is forced to an instruction set must say that it uses it.
TEST(ConformanceTargets, SayWhichKernelsAreInUse) {
  for (const Target& target : targets()) {
    const auto backend = target.open();
    ASSERT_NE(backend, nullptr);
    if (!target.isa.empty()) {
      EXPECT_EQ(backend->info().kernels, target.isa);
    }
  }
}

}  // namespace
}  // namespace pensieve::hal::conformance
