// The table that most families share, and how a name is taken apart: model prefix, layer, expert, part, kind.
#include "model/formats/hf_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace pensieve::model {
namespace {

constexpr std::array<std::string_view, 7> kPrefixes{"model.language_model.",
                                                    "language_model.model.",
                                                    "model.",
                                                    "transformer.",
                                                    "bert.",
                                                    "roberta.",
                                                    "gpt_neox."};
constexpr std::array<std::string_view, 4> kLayerPrefixes{"layers.", "h.", "encoder.layer.",
                                                         "encoder.layers."};

constexpr auto kInLayer = std::to_array<HfTensor>({
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.qkv_proj", "attn_qkv"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.sinks", "attn_sinks"},
    {"self_attn.q_a_proj", "attn_q_a"},
    {"self_attn.q_a_layernorm", "attn_q_a_norm"},
    {"self_attn.q_b_proj", "attn_q_b"},
    {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"},
    {"self_attn.kv_a_layernorm", "attn_kv_a_norm"},
    {"self_attn.kv_b_proj", "attn_kv_b"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"mlp.gate", "ffn_gate_inp"},
    {"mlp.router", "ffn_gate_inp"},
    {"mlp.gate.e_score_correction_bias", "exp_probs_b"},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp"},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp"},
    {"mlp.shared_experts.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_experts.up_proj", "ffn_up_shexp"},
    {"mlp.shared_experts.down_proj", "ffn_down_shexp"},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp"},
    {"block_sparse_moe.gate", "ffn_gate_inp"},
    {"self_attn.rotary_emb.inv_freq", "", HfChange::unused},
});
// Below "mlp.experts.N." or "block_sparse_moe.experts.N.".
constexpr auto kInExpert = std::to_array<HfTensor>({
    {"gate_proj", "ffn_gate_exps"},
    {"up_proj", "ffn_up_exps"},
    {"down_proj", "ffn_down_exps"},
    {"w1", "ffn_gate_exps"},
    {"w3", "ffn_up_exps"},
    {"w2", "ffn_down_exps"},
});
constexpr auto kInModel = std::to_array<HfTensor>({
    {"embed_tokens", "token_embd"},
    {"norm", "output_norm"},
    {"lm_head", "output"},
});

const HfTensor* find(std::span<const HfTensor> table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const HfTensor& rule) { return rule.from == name; });
  return found == table.end() ? nullptr : &*found;
}

bool take_prefix(std::string_view& name, std::string_view prefix) {
  if (name.substr(0, prefix.size()) != prefix) return false;
  name.remove_prefix(prefix.size());
  return true;
}

bool take_suffix(std::string_view& name, std::string_view suffix) {
  if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix) return false;
  name.remove_suffix(suffix.size());
  return true;
}

// "12." at the beginning.
std::optional<std::int64_t> take_number(std::string_view& name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const auto length = static_cast<std::size_t>(end - name.data());
  if (error != std::errc() || length >= name.size() || *end != '.' || number < 0) return std::nullopt;
  name.remove_prefix(length + 1);
  return number;
}

std::optional<HfName> in_layer(std::string_view rest, std::int64_t layer, std::string_view kind,
                               const HfRules& rules) {
  const HfTensor* rule = find(rules.tensors, rest);
  std::optional<std::int64_t> expert;
  if (rule == nullptr) rule = find(kInLayer, rest);
  if (rule == nullptr &&
      (take_prefix(rest, "mlp.experts.") || take_prefix(rest, "block_sparse_moe.experts."))) {
    expert = take_number(rest);
    if (expert) rule = find(kInExpert, rest);
  }
  if (rule == nullptr) return std::nullopt;
  return HfName{fmt::format("blk.{}.{}.{}", layer, rule->to, kind), rule->change, expert};
}

}  // namespace

std::optional<HfName> gguf_name_of(std::string_view hf, const HfRules& rules) {
  for (const std::string_view prefix : kPrefixes) {
    if (take_prefix(hf, prefix)) break;
  }
  std::string_view kind = "weight";
  if (!take_suffix(hf, ".weight") && take_suffix(hf, ".bias")) kind = "bias";
  if (hf.size() > 5 && hf.substr(hf.size() - 5) == "_bias") kind = "bias";  // e_score_correction_bias
  for (const std::string_view prefix : kLayerPrefixes) {
    std::string_view rest = hf;
    if (!take_prefix(rest, prefix)) continue;
    if (const std::optional<std::int64_t> layer = take_number(rest))
      return in_layer(rest, *layer, kind, rules);
  }
  const HfTensor* rule = find(rules.tensors, hf);
  if (rule == nullptr) rule = find(kInModel, hf);
  if (rule == nullptr) return std::nullopt;
  return HfName{fmt::format("{}.{}", rule->to, kind), rule->change, std::nullopt};
}

}  // namespace pensieve::model
