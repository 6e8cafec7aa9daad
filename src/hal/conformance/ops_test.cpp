// Every op, in the forms that models use, on every backend and instruction set, against the reference.
// Weights are f32 here; codecs are the matter of codecs_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"

namespace pensieve::hal::conformance {
namespace {

struct OpCase {
  std::string name;
  std::function<Graph()> graph;
  std::string kv = "f32";
  std::int32_t first_position = 0;
  Tolerance tolerance{1e-5, 0};
};

using Activation = ActivateParams::Kind;

// An op on one value of `width` columns, which becomes the logits.
OpCase on_rows(std::string name, std::int64_t width,
               std::function<std::uint32_t(GraphWriter&, std::uint32_t)> op) {
  return {std::move(name), [width, op] {
            GraphWriter g(width);
            return g.finish(op(g, g.embed(width)));
          }};
}

void add_element_cases(std::vector<OpCase>& cases) {
  const std::vector<std::pair<std::string, Activation>> kinds{{"silu", Activation::silu},
                                                              {"gelu", Activation::gelu},
                                                              {"gelu_tanh", Activation::gelu_tanh},
                                                              {"relu", Activation::relu},
                                                              {"identity", Activation::identity}};
  for (const auto& entry : kinds) {
    const Activation kind = entry.second;
    cases.push_back(on_rows("activate_" + entry.first, 77, [kind](GraphWriter& g, std::uint32_t x) {
      return g.activate(g.scale(x, 3.0F), kind);
    }));
    cases.push_back(on_rows("activate_gated_" + entry.first, 96, [kind](GraphWriter& g, std::uint32_t x) {
      return g.activate_gated(g.scale(x, 2.0F), g.scale(x, -0.5F), kind);
    }));
  }
  cases.push_back(
      on_rows("add", 67, [](GraphWriter& g, std::uint32_t x) { return g.add(x, g.scale(x, 0.3F)); }));
  cases.push_back(on_rows("scale", 33, [](GraphWriter& g, std::uint32_t x) { return g.scale(x, 12.5F); }));
  cases.push_back(on_rows("select_rows", 19, [](GraphWriter& g, std::uint32_t x) {
    return g.add(g.select_rows(x), g.scale(g.select_rows(x), 2.0F));
  }));
  cases.push_back(on_rows("embed", 41, [](GraphWriter&, std::uint32_t x) { return x; }));
}

void add_norm_cases(std::vector<OpCase>& cases) {
  const std::vector<std::pair<std::string, NormParams>> forms{
      {"rms", {NormParams::Kind::rms, 1e-5F, 96}},
      {"layer", {NormParams::Kind::layer, 1e-5F, 96}},
      {"rms_groups", {NormParams::Kind::rms, 1e-6F, 24}},
      {"layer_groups", {NormParams::Kind::layer, 1e-3F, 32}},
      {"rms_odd", {NormParams::Kind::rms, 1e-5F, 37}},
      {"layer_odd", {NormParams::Kind::layer, 1e-5F, 37}}};
  for (const auto& entry : forms) {
    const NormParams params = entry.second;
    for (const int weights : {0, 1, 2}) {
      const std::string name = "norm_" + entry.first +
                               (weights == 0   ? "_plain"
                                : weights == 1 ? "_weight"
                                               : "_weight_bias");
      const std::int64_t width = params.group_width == 37 ? 37 : 96;
      cases.push_back(on_rows(name, width, [params, weights](GraphWriter& g, std::uint32_t x) {
        return g.norm(x, params, "norm", weights);
      }));
    }
  }
}

void add_rope_cases(std::vector<OpCase>& cases) {
  RopeParams plain{.head_width = 32, .rotary_width = 32, .base = 10000.0F};
  RopeParams partial = plain, linear = plain, yarn = plain;
  partial.rotary_width = 12;
  linear.scaling = RopeParams::Scaling::linear;
  linear.scale_factor = 4.0F;
  yarn.scaling = RopeParams::Scaling::yarn;
  yarn.scale_factor = 8.0F;
  yarn.original_context = 512;
  yarn.attention_factor = 1.2F;
  const std::vector<std::pair<std::string, RopeParams>> forms{
      {"", plain}, {"_partial", partial}, {"_linear", linear}, {"_yarn", yarn}};
  for (const auto& form : forms) {
    for (const bool interleaved : {true, false}) {
      for (const bool factors : {false, true}) {
        RopeParams params = form.second;
        params.pairing = interleaved ? RopeParams::Pairing::interleaved : RopeParams::Pairing::halves;
        OpCase made = on_rows(
            std::string(interleaved ? "rope_interleaved" : "rope_halves") + form.first +
                (factors ? "_factors" : ""),
            96, [params, factors](GraphWriter& g, std::uint32_t x) { return g.rope(x, params, factors); });
        made.first_position = 1500;
        made.tolerance = {3e-4, 0};  // an angle of thousands of turns in single precision
        cases.push_back(std::move(made));
      }
    }
  }
}

Graph attention_graph(AttentionParams params) {
  GraphWriter g(params.heads * params.value_width);
  const std::uint32_t x = g.embed(32);
  const std::uint32_t q = g.linear(x, params.heads * params.key_width, "q"),
                      k = g.linear(x, params.kv_heads * params.key_width, "k");
  const std::uint32_t v = g.linear(x, params.kv_heads * params.value_width, "v");
  return g.finish(g.attention(g.scale(q, 3.0F), k, v, params));
}

void add_attention_cases(std::vector<OpCase>& cases) {
  const std::vector<std::pair<std::string, AttentionParams>> forms{
      {"all_heads", {4, 4, 32, 32, 0.18F}},        {"grouped", {6, 2, 64, 64, 0.125F}},
      {"one_key_head", {4, 1, 32, 32, 0.18F}},     {"window", {4, 2, 32, 32, 0.18F, 5}},
      {"soft_cap", {4, 2, 32, 32, 0.5F, 0, 2.0F}}, {"window_soft_cap", {4, 2, 32, 32, 0.5F, 17, 1.5F}},
      {"narrow_values", {4, 2, 64, 32, 0.125F}},   {"wide_values", {2, 1, 32, 96, 0.18F}}};
  for (const char* kv : {"f32", "f16", "q8_0"}) {
    // What 16-bit or 8-bit products of queries and cached keys may cost.
    const Tolerance tolerance = std::string(kv) == "f32"   ? Tolerance{1e-5, 0}
                                : std::string(kv) == "f16" ? Tolerance{3e-3, 0}
                                                           : Tolerance{0, 1e-3};
    for (const auto& form : forms) {
      const AttentionParams params = form.second;
      cases.push_back({"attention_" + form.first + "_kv_" + kv, [params] { return attention_graph(params); },
                       kv, 0, tolerance});
    }
  }
  for (const char* kv : {"f32", "f16"}) {  // odd head widths have no whole blocks of q8_0
    const AttentionParams params{3, 1, 20, 12, 0.22F};
    cases.push_back({std::string("attention_odd_heads_kv_") + kv,
                     [params] { return attention_graph(params); }, kv, 0,
                     std::string(kv) == "f32" ? Tolerance{1e-5, 0} : Tolerance{3e-3, 0}});
  }
}

Graph experts_graph(RouteParams route, ExpertsParams params, std::int64_t inner, bool biases) {
  GraphWriter g(64);
  const std::uint32_t x = g.embed(64);
  const std::uint32_t scores = g.scale(g.linear(x, 8, "router"), 3.0F);
  return g.finish(g.experts(x, g.route(scores, route, biases), params, inner, biases));
}

void add_expert_cases(std::vector<OpCase>& cases) {
  RouteParams best, grouped;
  best.used = 3;
  grouped.scoring = RouteParams::Scoring::sigmoid;
  grouped.used = 2;
  grouped.groups = 4;
  grouped.groups_used = 2;
  grouped.scale = 2.5F;
  const ExpertsParams silu{{ActivateParams::Kind::silu}, 3},
      clamped{{ActivateParams::Kind::silu_clamped, 1.5F}, 2};
  cases.push_back({"experts", [=] { return experts_graph(best, silu, 96, false); }, "f32", 0, {1e-5, 0}});
  cases.push_back({"experts_odd", [=] { return experts_graph(best, silu, 37, false); }, "f32", 0, {1e-5, 0}});
  cases.push_back({"experts_grouped_biased",
                   [=] { return experts_graph(grouped, clamped, 48, true); },
                   "f32",
                   0,
                   {1e-5, 0}});
}

// Latent attention in small: parts of heads, a matrix for each head, one key head with rotary columns at its
// end.
Graph latent_graph() {
  GraphWriter g(96);
  const std::uint32_t x = g.embed(32);
  const std::uint32_t q = g.linear(x, 4 * 24, "q"), kv = g.linear(x, 32 + 8, "kv");
  RopeParams rope{.head_width = 40, .first_column = 32, .rotary_width = 8};
  const std::uint32_t plain = g.linear_blocks(g.slice(q, {24, 0, 16}), 4, 4 * 32);
  const std::uint32_t queries = g.rope(g.join(plain, g.slice(q, {24, 16, 8}), {4, 32, 8}), rope);
  const std::uint32_t value = g.slice(kv, {40, 0, 32});
  const AttentionParams params{4, 1, 40, 32, 0.2F};
  const std::uint32_t out = g.attention(queries, g.rope(kv, rope), value, params, 0, true);
  return g.finish(g.slice(out, {32, 4, 24}));
}

void add_latent_cases(std::vector<OpCase>& cases) {
  cases.push_back({"latent_attention_with_sinks", [] { return latent_graph(); }, "f32", 0, {1e-5, 0}});
}

Graph conv_graph(std::int64_t width, std::int64_t taps, bool bias) {
  GraphWriter g(width);
  return g.finish(g.conv(g.embed(width), taps, bias));
}

Graph scan_graph(ScanParams params) {
  GraphWriter g(params.heads * params.head_width);
  const std::uint32_t x = g.embed(params.heads * params.head_width);
  const std::int64_t shared = params.groups * params.state_width;
  const std::uint32_t b = g.linear(x, shared, "b"), c = g.linear(x, shared, "c");
  return g.finish(g.scan(x, b, c, g.linear(x, params.heads, "dt"), params));
}

Graph delta_graph(DeltaParams params) {
  GraphWriter g(params.value_heads * params.value_width);
  const std::uint32_t x = g.embed(params.value_heads * params.value_width);
  const std::int64_t keys = params.key_heads * params.key_width;
  const NormParams unit{NormParams::Kind::rms, 1e-6F, params.key_width};
  const float scale = 1.0F / std::sqrt(static_cast<float>(params.key_width));
  const std::uint32_t q = g.scale(g.norm(g.linear(x, keys, "q"), unit, "", 0), scale);
  const std::uint32_t k = g.scale(g.norm(g.linear(x, keys, "k"), unit, "", 0), scale);
  const std::uint32_t a = g.linear(x, params.value_heads, "a"), b = g.linear(x, params.value_heads, "b");
  return g.finish(g.delta({q, k, x, a, b}, params));
}

void add_recurrent_cases(std::vector<OpCase>& cases) {
  cases.push_back({"conv", [] { return conv_graph(96, 4, true); }});
  cases.push_back({"conv_odd", [] { return conv_graph(77, 3, false); }});
  cases.push_back({"conv_of_two", [] { return conv_graph(130, 2, true); }});
  cases.push_back({"scan", [] { return scan_graph({4, 24, 2, 16}); }});
  cases.push_back({"scan_wide_heads", [] { return scan_graph({2, 80, 1, 128}); }});
  cases.push_back({"scan_limited_steps", [] { return scan_graph({3, 17, 3, 8, 0.5F, 1.0F}); }});
  cases.push_back({"delta", [] { return delta_graph({2, 4, 16, 24}); }});
  cases.push_back({"delta_tiled", [] { return delta_graph({2, 6, 32, 16, true}); }});
  cases.push_back({"delta_wide_values", [] { return delta_graph({2, 2, 20, 72}); }});
  cases.push_back({"hybrid", [] { return hybrid_graph(96); }, "f32", 0, {1e-4, 0}});
}

bool runs_on(const Backend& backend, const Graph& graph) {
  const Codec* f32 = find_codec("f32");
  return std::all_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const Node& node) { return backend.supports(graph, node, f32); });
}

struct Case {
  OpCase op;
  Target target;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.op.name << " on " << c.target.name();
}

std::vector<Case> cases() {
  std::vector<OpCase> ops;
  add_element_cases(ops);
  add_norm_cases(ops);
  add_rope_cases(ops);
  add_attention_cases(ops);
  add_expert_cases(ops);
  add_latent_cases(ops);
  add_recurrent_cases(ops);
  std::vector<Case> all;
  for (const Target& target : targets()) {
    const std::unique_ptr<Backend> backend = target.open(1);
    for (const OpCase& op : ops) {
      if (backend != nullptr && runs_on(*backend, op.graph())) all.push_back({op, target});
    }
  }
  return all;
}

class EveryOp : public testing::TestWithParam<Case> {};

// Prompts and single tokens mixed, several sequences, continued over page borders.
TEST_P(EveryOp, AgreesWithTheReference) {
  const OpCase& op = GetParam().op;
  const TestModel model = make_model(op.graph(), *find_codec("f32"), 5);
  Session::Options options;
  options.kv = op.kv;
  options.first_position = op.first_position;
  options.page_count = model.graph.state_groups > 0 ? 32 : 1024;
  const auto wanted = Session::open(reference_target(), model, options);
  const auto got = Session::open(GetParam().target, model, options);
  if (wanted == nullptr || got == nullptr) return;
  const std::int64_t vocabulary = model.graph.vocabulary;
  const std::vector<std::vector<Piece>> steps{{{0, random_tokens(21, vocabulary, 1)}},
                                              {{0, random_tokens(1, vocabulary, 2)},
                                               {1, random_tokens(34, vocabulary, 3)},
                                               {2, random_tokens(1, vocabulary, 4)}},
                                              {{2, random_tokens(5, vocabulary, 5), false},
                                               {0, random_tokens(1, vocabulary, 6)},
                                               {1, random_tokens(3, vocabulary, 7)}}};
  for (const std::vector<Piece>& pieces : steps)
    expect_close(wanted->step(pieces), got->step(pieces), op.tolerance);
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.op.name + "_" + info.param.target.name();
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryOp);
INSTANTIATE_TEST_SUITE_P(, EveryOp, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace pensieve::hal::conformance
