// Llama 1 to 3.3, Mistral 7B, SmolLM2 and whatever else converters call "llama": the dense decoder.
// Not for its mixtures of experts (Mixtral), which carry the same name and are told apart by their expert
// count.
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 2> kHfNames{"LlamaForCausalLM", "MistralForCausalLM"};

Result<Graph> build(const Metadata& metadata, const TensorNames& tensors) {
  Result<TransformerConfig> config = TransformerConfig::read(metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  if (config->experts > 0) {
    return fail(Error::Code::unsupported, "this llama model is a mixture of " +
                                              std::to_string(config->experts) +
                                              " experts; only the dense form is supported");
  }
  // Converters to GGUF reorder the rows of q and k so that neighbours rotate together.
  config->rope.pairing = RopeParams::Pairing::interleaved;

  GraphBuilder g(*config, tensors);
  Value x = g.embed("token_embd");  // [rows, width]
  for (const Layer l : g.layers()) {
    auto [q, k, v] = l.qkv(l.rms_norm(x, "attn_norm"));
    q = l.rope(q);
    k = l.rope(k);
    x = x + l.linear(l.attention(q, k, v), "attn_output");
    x = x + l.swiglu(l.rms_norm(x, "ffn_norm"));
  }
  return g.finish(g.head(g.rms_norm(g.output_rows(x), "output_norm"), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_llama;
const Architecture arch_llama{"llama", kHfNames, build};

}  // namespace pensieve::model
