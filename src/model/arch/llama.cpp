// llama: the family of Llama and of everything that computes like it and is converted under its name
// (Mistral, Mixtral, SmolLM2, Vicuna, Yi, ...): RMS norm, rotary positions, grouped heads, SwiGLU or experts
// of it.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 3> kHfNames{"LlamaForCausalLM", "MistralForCausalLM",
                                                   "MixtralForCausalLM"};

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  // Converters to GGUF reorder the rows of q and k so that neighbours rotate together.
  config->set_pairing(RopeParams::Pairing::interleaved);
  config->set_windows(0);
  config->experts.route.normalise = true;

  GraphBuilder g(*config, facts);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.experts_or_swiglu(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_llama;
const Architecture arch_llama{"llama", kHfNames, build, {.halves = true}};

}  // namespace pensieve::model
