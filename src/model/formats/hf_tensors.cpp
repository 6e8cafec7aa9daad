// From what stands in the files to what graphs want, one kind of change after another.
#include "model/formats/hf_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/half.h"
#include "model/formats/findings.h"
#include "model/formats/hf_repack.h"

namespace pensieve::model {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// Of what stands in files the plain types; the others are made here.
const Codec* codec_of(const std::string& type) {
  constexpr std::string_view kKnown[] = {"F32", "F16", "BF16", "Q4_0", "Q4_1"};
  const bool known = std::find(std::begin(kKnown), std::end(kKnown), type) != std::end(kKnown);
  return known ? find_codec(lower(type)) : nullptr;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Left by training code; graphs compute them.
bool is_leftover(std::string_view name) {
  constexpr std::string_view kEnds[] = {"position_ids", "inv_freq", ".attn.bias", ".attention.bias",
                                        ".masked_bias"};
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [&](std::string_view end) { return ends_with(name, end); });
}

// "model.layers.3.mlp.experts.REST": layer and REST.
std::optional<std::pair<std::int64_t, std::string_view>> fused_expert(std::string_view name) {
  const std::size_t at = name.find(".mlp.experts."), begin = name.find("layers.");
  if (at == std::string_view::npos || begin == std::string_view::npos || begin + 7 >= at) return std::nullopt;
  std::int64_t layer = 0;
  const auto [end, error] = std::from_chars(name.data() + begin + 7, name.data() + at, layer);
  if (error != std::errc() || end != name.data() + at || layer < 0) return std::nullopt;
  return std::pair{layer, name.substr(at + 13)};
}

}  // namespace

TensorInfo HfTensors::info_of(const std::string& name, const SafeTensor& tensor) const {
  return {name, codec_of(tensor.type), lower(tensor.type), tensor.shape, tensor.bytes, {}};
}

std::span<const std::byte> HfTensors::keep(std::vector<std::byte> bytes) {
  owned_.push_back(std::move(bytes));
  return owned_.back();
}

void HfTensors::add_vector(const std::string& name, const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  done_.push_back({name,
                   find_codec("f32"),
                   "f32",
                   {static_cast<std::int64_t>(values.size())},
                   keep({bytes.begin(), bytes.end()}),
                   {}});
}

void HfTensors::add(const SafeTensor& given) {
  if (is_leftover(given.name)) return;
  tensors_.push_back(given);
  const SafeTensor& tensor = tensors_.back();
  if (take_packed(tensor) || take_four_bits(tensor)) return;
  std::string name = tensor.name;
  for (const std::string_view scale : {"_scale_inv", "_scale"}) {
    if (!ends_with(name, scale)) continue;
    const std::string of = name.substr(0, name.size() - scale.size());
    if (const auto named = gguf_name_of(of, rules_)) {
      float8_[named->expert ? fmt::format("{} {}", named->name, *named->expert) : named->name].scales =
          &tensor;
      return;
    }
  }
  const std::optional<HfName> named = gguf_name_of(name, rules_);
  if (!named) {
    done_.push_back(info_of(name, tensor));  // whoever checks the weights will say that it is unknown
    return;
  }
  if (named->change == HfChange::unused) return;
  if (tensor.type == "F8_E4M3") {
    float8_[named->expert ? fmt::format("{} {}", named->name, *named->expert) : named->name].values = &tensor;
    return;
  }
  place(*named, tensor);
}

void HfTensors::place(const HfName& name, const SafeTensor& tensor) {
  if (name.expert) {
    experts_[name.name][*name.expert] = &tensor;
  } else if (name.change != HfChange::none || (rules_.norms_add_one && ends_with(name.name, "norm.weight"))) {
    change(name, tensor);
  } else {
    done_.push_back(info_of(name.name, tensor));
  }
}

void HfTensors::change(const HfName& name, const SafeTensor& tensor) {
  TensorInfo info = info_of(name.name, tensor);
  if (info.codec == nullptr) {
    problems_.push_back(
        fmt::format("{} has type {}, which cannot be rearranged", printable(tensor.name), tensor.type));
    return;
  }
  const std::size_t element = info.codec->block_bytes;
  if (name.change == HfChange::halves) return take_halves(name.name, tensor);
  if (name.change == HfChange::after_padding) {
    if (tensor.shape.size() != 2 || tensor.shape[0] <= shape_.padding_rows) {
      return problems_.push_back(fmt::format("{} has no rows after the {} of the padding",
                                             printable(tensor.name), shape_.padding_rows));
    }
    const std::size_t row = tensor.bytes.size() / static_cast<std::size_t>(tensor.shape[0]);
    info.bytes = tensor.bytes.subspan(static_cast<std::size_t>(shape_.padding_rows) * row);
    info.shape[0] -= shape_.padding_rows;
  }
  if (name.change == HfChange::fused_heads) {
    const std::int64_t head_rows = shape_.head_width,
                       group = shape_.kv_heads > 0 ? shape_.heads / shape_.kv_heads : 0;
    auto rows = split_fused_heads(tensor.bytes, tensor.shape, shape_.kv_heads, group, head_rows);
    if (!rows) return problems_.push_back(fmt::format("{}: {}", printable(tensor.name), rows.error().what));
    info.bytes = keep(std::move(*rows));
  } else if (name.change == HfChange::transposed && tensor.shape.size() == 2) {
    info.bytes = keep(transposed(tensor.bytes, static_cast<std::size_t>(tensor.shape[0]),
                                 static_cast<std::size_t>(tensor.shape[1]), element));
    std::swap(info.shape[0], info.shape[1]);
  } else if (name.change == HfChange::negated_power && tensor.shape.size() == 1) {
    std::vector<float> values(static_cast<std::size_t>(tensor.shape[0]));
    decode_row(*info.codec, reinterpret_cast<const unsigned char*>(tensor.bytes.data()), values.size(),
               values.data());
    for (float& value : values) value = -std::exp(value);
    return add_vector(name.name, values);
  } else if (name.change == HfChange::none && tensor.shape.size() == 1) {
    std::vector<float> values(static_cast<std::size_t>(tensor.shape[0]));
    decode_row(*info.codec, reinterpret_cast<const unsigned char*>(tensor.bytes.data()), values.size(),
               values.data());
    for (float& value : values) value += 1.0F;
    return add_vector(name.name, values);
  }
  done_.push_back(std::move(info));
}

// "…ffn_gate_up_exps.weight" [experts, 2 inner, width]: the upper and the lower half of each matrix, where
// they lie.
void HfTensors::take_halves(const std::string& name, const SafeTensor& tensor) {
  const std::size_t at = name.find("gate_up");
  if (tensor.shape.size() != 3 || tensor.shape[0] < 1 || tensor.shape[1] % 2 != 0 ||
      at == std::string::npos) {
    problems_.push_back(fmt::format("{} is no stack of gates and ups", printable(tensor.name)));
    return;
  }
  const auto experts = static_cast<std::size_t>(tensor.shape[0]);
  const std::size_t half = tensor.bytes.size() / experts / 2;
  for (const std::size_t lower : {std::size_t{0}, std::size_t{1}}) {
    std::string called = name;
    TensorInfo info = info_of(called.replace(at, 7, lower == 0 ? "gate" : "up"), tensor);
    info.shape[1] /= 2;
    info.bytes = {};
    for (std::size_t expert = 0; expert < experts; ++expert)
      info.parts.push_back(tensor.bytes.subspan((2 * expert + lower) * half, half));
    done_.push_back(std::move(info));
  }
}

void HfTensors::gather_experts() {
  for (const auto& [name, parts] : experts_) {
    TensorInfo info = info_of(name, *parts.begin()->second);
    info.bytes = {};
    std::int64_t expected = 0;
    for (const auto& [expert, part] : parts) {
      if (expert != expected++ || part->shape != parts.begin()->second->shape ||
          part->type != parts.begin()->second->type) {
        problems_.push_back(
            fmt::format("{} does not fit among the experts of {}", printable(part->name), name));
        break;
      }
      info.parts.push_back(part->bytes);
    }
    info.shape.insert(info.shape.begin(), static_cast<std::int64_t>(info.parts.size()));
    done_.push_back(std::move(info));
  }
}

void HfTensors::take_float8(const std::string& name, const Scaled& pair) {
  const std::size_t space = name.find(' ');
  const std::string called = name.substr(0, space);
  if (pair.values == nullptr) {
    problems_.push_back(
        fmt::format("{} holds scales of a tensor that is no F8_E4M3", printable(pair.scales->name)));
    return;
  }
  auto values = decode_float8(*pair.values, pair.scales);
  if (!values)
    return problems_.push_back(fmt::format("{}: {}", printable(pair.values->name), values.error().what));
  SafeTensor decoded = *pair.values;
  decoded.type = "F32";
  decoded.bytes = keep(std::move(*values));
  tensors_.push_back(std::move(decoded));
  HfName target{called, HfChange::none, std::nullopt};
  if (space != std::string::npos) target.expert = std::strtoll(name.c_str() + space, nullptr, 10);
  place(target, tensors_.back());
}

// Experts stored together: MXFP4 as blocks and scales (gpt-oss), with their biases.
bool HfTensors::take_packed(const SafeTensor& tensor) {
  const auto found = fused_expert(tensor.name);
  if (!found) return false;
  const auto [layer, rest] = *found;
  for (const std::string_view part : {"gate_up_proj", "down_proj"}) {
    if (rest == fmt::format("{}_blocks", part))
      return packed_[fmt::format("{} {}", layer, part)].values = &tensor, true;
    if (rest == fmt::format("{}_scales", part))
      return packed_[fmt::format("{} {}", layer, part)].scales = &tensor, true;
  }
  if (rest == "gate_up_proj_bias") return take_gate_up_bias(layer, tensor), true;
  if (rest != "down_proj_bias") return false;
  done_.push_back(info_of(fmt::format("blk.{}.ffn_down_exps.bias", layer), tensor));
  return true;
}

void HfTensors::take_gate_up_bias(std::int64_t layer, const SafeTensor& tensor) {
  const Codec* codec = codec_of(tensor.type);
  if (codec == nullptr || tensor.shape.size() != 2 || tensor.shape[1] % 2 != 0) {
    problems_.push_back(fmt::format("{} is no bias of gates and ups", printable(tensor.name)));
    return;
  }
  for (const std::size_t half : {std::size_t{0}, std::size_t{1}}) {
    TensorInfo info =
        info_of(fmt::format("blk.{}.ffn_{}_exps.bias", layer, half == 0 ? "gate" : "up"), tensor);
    info.shape[1] /= 2;
    info.bytes = keep(every_second(tensor.bytes, codec->block_bytes, half));
    done_.push_back(std::move(info));
  }
}

void HfTensors::take_mxfp4(const std::string& part, std::int64_t layer, const Scaled& pair) {
  const bool both = part == "gate_up_proj";
  for (const std::size_t half : {std::size_t{0}, std::size_t{1}}) {
    if (!both && half == 1) break;
    auto packed =
        pair.values == nullptr || pair.scales == nullptr
            ? Result<std::vector<std::byte>>(fail(Error::Code::invalid, "blocks or scales are missing"))
            : repack_mxfp4(*pair.values, *pair.scales, both, half);
    if (!packed)
      return problems_.push_back(fmt::format("experts of layer {}: {}", layer, packed.error().what));
    const std::vector<std::int64_t>& shape = pair.values->shape;
    const char* called = !both ? "down" : half == 0 ? "gate" : "up";
    done_.push_back({fmt::format("blk.{}.ffn_{}_exps.weight", layer, called),
                     find_codec("mxfp4"),
                     "mxfp4",
                     {shape[0], both ? shape[1] / 2 : shape[1], shape[2] * 32},
                     keep(std::move(*packed)),
                     {}});
  }
}

std::vector<TensorInfo> HfTensors::finish(std::vector<std::string>& problems) {
  for (const auto& [name, pair] : float8_) take_float8(name, pair);
  for (const auto& [name, pair] : packed_) {
    const std::size_t space = name.find(' ');
    take_mxfp4(name.substr(space + 1), std::strtoll(name.c_str(), nullptr, 10), pair);
  }
  place_four_bits();
  gather_experts();
  problems.insert(problems.end(), problems_.begin(), problems_.end());
  return std::move(done_);
}

}  // namespace pensieve::model
