// lfm2: Liquid's LFM2: gated short convolutions in most layers, attention with norms on q and k in the
// others.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 1> kHfNames{"Lfm2ForCausalLM"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"operator_norm", "attn_norm"},
    {"ffn_norm", "ffn_norm"},
    {"embedding_norm", "token_embd_norm"},
    {"self_attn.out_proj", "attn_output"},
    {"self_attn.q_layernorm", "attn_q_norm"},
    {"self_attn.k_layernorm", "attn_k_norm"},
    {"conv.conv", "shortconv.conv.weight", HfChange::kept},
    {"conv.in_proj", "shortconv.in_proj.weight"},
    {"conv.out_proj", "shortconv.out_proj.weight"},
    {"feed_forward.w1", "ffn_gate"},
    {"feed_forward.w2", "ffn_down"},
    {"feed_forward.w3", "ffn_up"},
});

// The projection's thirds: what gates the input, what gates the result, the input.
Value short_conv(GraphBuilder& g, const Layer& l, Value x, std::int64_t taps) {
  const std::int64_t width = x.width();
  const auto third = [&](std::int64_t i) {
    return l.linear_rows(x, "shortconv.in_proj", {i * width, width, 3 * width});
  };
  const Value b = third(0);
  const Value c = third(1);
  const Value in = third(2);
  const Value mixed = l.conv(g.multiply(b, in), "shortconv.conv", taps, {0, width, width});
  return l.linear(g.multiply(c, mixed), "shortconv.out_proj");
}

Value attention(const Layer& l, Value x) {
  auto [q, k, v] = l.qkv(x);
  q = l.rope(l.rms_norm(q, "attn_q_norm"));
  k = l.rope(l.rms_norm(k, "attn_k_norm"));
  return l.linear(l.attention(q, k, v), "attn_output");
}

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata, Attends::some_layers);
  if (!config) return tl::unexpected(std::move(config).error());
  config->set_pairing(RopeParams::Pairing::halves);
  HyperParameters from(facts.metadata, config->architecture);
  const std::int64_t taps = from.required_integer("shortconv.l_cache", {2, 64});
  if (Result<> sound = from.check(); !sound) return tl::unexpected(std::move(sound).error());
  // Folders state a width that is adjusted by rules; the tensors say what came of it.
  for (std::size_t i = 0; i < config->layers.size(); ++i) {
    const std::int64_t elements = facts.tensors.elements("blk." + std::to_string(i) + ".ffn_gate.weight");
    if (elements > 0 && elements % config->width == 0)
      config->layers[i].feed_forward = elements / config->width;
  }

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    const Value normed = l.rms_norm(x, "attn_norm");
    x = x + (l.config().attends() ? attention(l, normed) : short_conv(g, l, normed, taps));
    x = x + l.swiglu(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "token_embd_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_lfm2;
const Architecture arch_lfm2{"lfm2", kHfNames, build, {.tensors = kHfTensors}};

}  // namespace pensieve::model
