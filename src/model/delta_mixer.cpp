// Projections as the files hold them: apart, or key head by key head.
#include "model/delta_mixer.h"

#include <fmt/format.h>

#include <cmath>

namespace pensieve::model {

DeltaMixer DeltaMixer::read(HyperParameters& from) {
  constexpr double kWidest = 1 << 16;
  DeltaMixer mixer;
  mixer.key_heads = from.required_integer("ssm.group_count", {1, kWidest});
  mixer.value_heads = from.required_integer("ssm.time_step_rank", {1, kWidest});
  mixer.key_width = from.required_integer("ssm.state_size", {1, kWidest});
  const std::int64_t inner = from.required_integer("ssm.inner_size", {1, kWidest});
  mixer.taps = from.required_integer("ssm.conv_kernel", {2, 64});
  mixer.value_width = std::max<std::int64_t>(inner / mixer.value_heads, 1);
  if (inner % mixer.value_heads != 0 || mixer.value_heads % mixer.key_heads != 0) {
    from.fault(
        fmt::format("ssm.inner_size {} with {} value heads (ssm.time_step_rank) and {} key heads "
                    "(ssm.group_count): one must divide the other",
                    inner, mixer.value_heads, mixer.key_heads));
    mixer.value_heads = mixer.key_heads = 1;
  }
  return mixer;
}

DeltaMixer::Inputs DeltaMixer::project(GraphBuilder& g, const Layer& l, Value x) const {
  const std::int64_t keys = key_heads * key_width, values = value_heads * value_width;
  const std::int64_t sharing = value_heads / key_heads, heads_wide = sharing * value_width;
  // a and b: apart, or for each key head its b's and then its a's.
  const bool mixed_gates = l.has("ssm_ba");
  const auto gates = [&](std::string_view own, std::int64_t first) {
    if (!mixed_gates) return l.linear(x, own, value_heads);
    return g.slice(l.linear(x, "ssm_ba", 2 * value_heads), 2 * sharing, first, sharing);
  };
  const Value b = gates("ssm_beta", 0);
  const Value a = gates("ssm_alpha", sharing);
  if (l.has("ssm_in")) {  // for each key head its q, k, v's and z's
    const Value all = l.linear(x, "ssm_in", 2 * keys + 2 * values);
    const std::int64_t group = 2 * key_width + 2 * heads_wide;
    const Value q = g.slice(all, group, 0, key_width);
    const Value k = g.slice(all, group, key_width, key_width);
    const Value v = g.slice(all, group, 2 * key_width, heads_wide);
    return {q, k, v, g.slice(all, group, 2 * key_width + heads_wide, heads_wide), a, b};
  }
  const std::int64_t all = 2 * keys + values;
  const Value q = l.linear_rows(x, "attn_qkv", {0, keys, all});
  const Value k = l.linear_rows(x, "attn_qkv", {keys, keys, all});
  const Value v = l.linear_rows(x, "attn_qkv", {2 * keys, values, all});
  return {q, k, v, l.linear(x, "attn_gate", values), a, b};
}

Value DeltaMixer::build(GraphBuilder& g, const Layer& l, Value x) const {
  const Inputs in = project(g, l, x);
  const std::int64_t keys = key_heads * key_width, values = value_heads * value_width;
  const auto short_conv = [&](Value of, std::int64_t first) {
    const Value out = l.conv(of, "ssm_conv1d", taps, {first, of.width(), 2 * keys + values});
    return g.activate(out, {Activate::silu});
  };
  const Value q = short_conv(in.q, 0);
  const Value k = short_conv(in.k, keys);
  const Value v = short_conv(in.v, 2 * keys);
  // Of length 1, with 1e-6 under the root of the sum; queries are scaled like those of attention.
  const auto width = static_cast<float>(key_width);
  const auto unit = [&](Value of) { return g.plain_norm(of.in_heads_of(key_width), 1e-6F / width); };
  const Value queries = unit(q) * (1.0F / width);
  const Value keys_of_one = unit(k) * (1.0F / std::sqrt(width));
  const DeltaParams params{key_heads, value_heads, key_width, value_width, tiled};
  Value y = l.delta(queries, keys_of_one, v, in.a, in.b, params);
  y = l.rms_norm(y.in_heads_of(value_width), "ssm_norm");
  return l.linear(g.gate(in.z, y, {Activate::silu}), "ssm_out");
}

Value gated_attention(GraphBuilder& g, const Layer& l, Value x, const TransformerConfig& config) {
  const std::int64_t head = config.key_width, heads = l.config().heads, kv_heads = l.config().kv_heads;
  const Value both = l.linear(x, "attn_q", 2 * heads * head);
  const Value k = l.linear(x, "attn_k", kv_heads * head).in_heads_of(head);
  const Value v = l.linear(x, "attn_v", kv_heads * config.value_width).in_heads_of(config.value_width);
  const Value q = g.slice(both, 2 * head, 0, head);
  const Value gate = g.slice(both, 2 * head, head, head);
  const Value queries = l.rope(l.rms_norm(q, "attn_q_norm"));
  const Value keys = l.rope(l.rms_norm(k, "attn_k_norm"));
  const Value seen = l.attention(queries, keys, v);
  return l.linear(g.gate(gate, seen, {Activate::sigmoid}), "attn_output");
}

void set_recurrent_layers(HyperParameters& from, TransformerConfig& config) {
  const std::vector<bool> listed = from.flags("attention.recurrent_layers");
  const std::int64_t interval = from.integer("full_attention_interval", 4, {1, 1024});
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const bool recurs =
        listed.size() == config.layers.size() ? listed[i] : static_cast<std::int64_t>(i + 1) % interval != 0;
    if (recurs) config.layers[i].kv_heads = 0;
    if (!recurs && !config.layers[i].attends())
      from.fault(fmt::format("layer {} attends without key heads", i));
  }
}

}  // namespace pensieve::model
