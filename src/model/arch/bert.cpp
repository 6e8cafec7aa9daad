// bert: BERT and RoBERTa encoders (BGE, E5, GTE, MiniLM, cross-encoders): learned positions, norms after, all
// positions seen.
#include <algorithm>
#include <array>

#include "model/architecture.h"
#include "model/graph_builder.h"
#include "model/transformer_config.h"

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 7> kHfNames{"BertModel",
                                                   "BertForMaskedLM",
                                                   "RobertaModel",
                                                   "BertForSequenceClassification",
                                                   "XLMRobertaModel",
                                                   "RobertaForSequenceClassification",
                                                   "XLMRobertaForSequenceClassification"};

constexpr auto kHfTensors = std::to_array<HfTensor>({
    {"embeddings.word_embeddings", "token_embd"},
    {"embeddings.position_embeddings", "position_embd", HfChange::after_padding},
    {"embeddings.token_type_embeddings", "token_types"},
    {"embeddings.LayerNorm", "token_embd_norm"},
    {"attention.self.query", "attn_q"},
    {"attention.self.key", "attn_k"},
    {"attention.self.value", "attn_v"},
    {"attention.output.dense", "attn_output"},
    {"attention.output.LayerNorm", "attn_output_norm"},
    {"intermediate.dense", "ffn_up"},
    {"output.dense", "ffn_down"},
    {"output.LayerNorm", "layer_output_norm"},
    {"pooler.dense", "cls"},
    {"classifier", "cls.output"},
    {"classifier.dense", "cls"},  // RoBERTa's
    {"classifier.out_proj", "cls.output"},
});

Result<Graph> build(const ModelFacts& facts) {
  Result<TransformerConfig> config = TransformerConfig::read(facts.metadata);
  if (!config) return tl::unexpected(std::move(config).error());
  config->causal = false;
  const std::int64_t types =
      std::max<std::int64_t>(facts.tensors.elements("token_types.weight") / config->width, 1);

  GraphBuilder g(*config, facts);
  g.does_without("cls.predictions");
  Value x = g.embed("token_embd");  // [rows, width]
  if (g.has("token_types")) x = x + g.embed_segments("token_types", types);
  x = x + g.embed_positions("position_embd");
  x = g.layer_norm(x, "token_embd_norm");
  for (const Layer l : g.layers()) {
    const auto [q, k, v] = l.qkv(x);
    x = l.layer_norm(x + l.linear(l.attention(q, k, v), "attn_output"), "attn_output_norm");
    x = l.layer_norm(x + l.mlp(x, Activate::gelu), "layer_output_norm");
  }
  return g.finish(g.head(g.output_rows(x), "output", "token_embd"));
}

}  // namespace

extern const Architecture arch_bert;
const Architecture arch_bert{"bert", kHfNames, build, {.tensors = kHfTensors, .bidirectional = true}};

}  // namespace pensieve::model
