// z, x, B, C and dt are rows of one projection, one after another; the convolution is over x, B and C.
#include "model/mamba2_mixer.h"

#include <fmt/format.h>

namespace pensieve::model {

Mamba2Mixer Mamba2Mixer::read(HyperParameters& from) {
  constexpr double kWidest = 1 << 16;
  Mamba2Mixer mixer;
  mixer.inner = from.required_integer("ssm.inner_size", {1, kWidest});
  mixer.heads = from.required_integer("ssm.time_step_rank", {1, kWidest});
  mixer.groups = from.integer("ssm.group_count", 1, {1, kWidest});
  mixer.state_width = from.required_integer("ssm.state_size", {1, kWidest});
  mixer.taps = from.required_integer("ssm.conv_kernel", {2, 64});
  mixer.step_low = static_cast<float>(from.real("ssm.time_step_low", 0.0, {0.0, 3.4e38}));
  mixer.step_high = static_cast<float>(from.real("ssm.time_step_high", 3.4e38, {0.0, 3.4e38}));
  mixer.norm_before_gate = from.flag("ssm.norm_before_gate", false);
  for (std::size_t i = 0; i < mixer.scales.size(); ++i)
    mixer.scales[i] = static_cast<float>(from.real(fmt::format("ssm.scale_{}", i), 1.0, {-1e6, 1e6}));
  if (mixer.inner % mixer.heads != 0 || mixer.inner % mixer.groups != 0 || mixer.heads % mixer.groups != 0) {
    from.fault(
        fmt::format("ssm.inner_size {} with {} heads (ssm.time_step_rank) in {} groups "
                    "(ssm.group_count): neither divides the other",
                    mixer.inner, mixer.heads, mixer.groups));
    mixer.heads = mixer.groups = 1;
  }
  if (mixer.step_low > mixer.step_high) from.fault("ssm.time_step_low is above ssm.time_step_high");
  return mixer;
}

Value Mamba2Mixer::build(GraphBuilder& g, const Layer& l, Value x) const {
  const std::int64_t shared = groups * state_width, all = 2 * inner + 2 * shared + heads;
  const auto project = [&](std::int64_t first, std::int64_t count, std::size_t scale) {
    return l.linear_rows(x, "ssm_in", {first, count, all}) * scales[scale];
  };
  const Value z = project(0, inner, 0);
  const Value in = project(inner, inner, 1);
  const Value b = project(2 * inner, shared, 2);
  const Value c = project(2 * inner + shared, shared, 3);
  const Value dt = project(2 * inner + 2 * shared, heads, 4);
  const auto short_conv = [&](Value of, std::int64_t first) {
    const Value out = l.conv(of, "ssm_conv1d", taps, {first, of.width(), inner + 2 * shared});
    return g.activate(out, {Activate::silu});
  };
  const Value conv_in = short_conv(in, 0);
  const Value conv_b = short_conv(b, inner);
  const Value conv_c = short_conv(c, inner + shared);
  const ScanParams params{heads, inner / heads, groups, state_width, step_low, step_high};
  Value y = l.scan(conv_in, conv_b, conv_c, dt, params);
  if (norm_before_gate) y = l.rms_norm_if_any(y.in_heads_of(inner / groups), "ssm_norm");
  y = g.gate(z, y, {Activate::silu});
  if (!norm_before_gate) y = l.rms_norm_if_any(y.in_heads_of(inner / groups), "ssm_norm");
  return l.linear(y, "ssm_out");
}

}  // namespace pensieve::model
