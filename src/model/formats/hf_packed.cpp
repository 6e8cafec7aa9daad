// Words are read as they lie; blocks of the codecs q4_0 and q4_1 are written as core/codecs says.
#include "model/formats/hf_packed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "core/half.h"
#include "model/formats/findings.h"

namespace pensieve::model {
namespace {

using util::Json;
constexpr std::int64_t kInWord = 8, kBlock = 32;
constexpr std::array<int, 8> kAwqOrder{0, 4, 1, 5, 2, 6, 3, 7};  // which nibble holds output 0, 1, 2, ...
constexpr std::array<int, 8> kPlainOrder{0, 1, 2, 3, 4, 5, 6, 7};

tl::unexpected<Error> unsupported(const std::string& what) {
  return fail(Error::Code::unsupported, "config.json: " + what, {}, "model_unsupported");
}

const Json* find(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::uint32_t word_at(const SafeTensor& tensor, std::size_t index) {
  std::uint32_t word = 0;
  std::memcpy(&word, tensor.bytes.data() + index * sizeof word, sizeof word);
  return word;
}

// Reads scales, zero points and weights by their place, whatever the packing.
class PackedReader {
 public:
  PackedReader(const PackedWeights& packed, Packing packing, std::int64_t inputs, std::int64_t outputs,
               std::int64_t group_count)
      : packed_(packed),
        awq_(packing == Packing::awq),
        zero_offset_(packing == Packing::gptq ? 1 : 0),
        inputs_(static_cast<std::size_t>(inputs)),
        outputs_(static_cast<std::size_t>(outputs)),
        group_size_((inputs_ + static_cast<std::size_t>(group_count) - 1) /
                    static_cast<std::size_t>(group_count)),
        scale_codec_(find_codec(packed.scales->type == "BF16"  ? "bf16"
                                : packed.scales->type == "F32" ? "f32"
                                                               : "f16")) {}

  std::size_t group_of(std::size_t input) const {
    return packed_.groups != nullptr ? word_at(*packed_.groups, input) : input / group_size_;
  }
  int zero(std::size_t group, std::size_t output) const {
    const std::uint32_t word = word_at(*packed_.zeros, group * (outputs_ / kInWord) + output / kInWord);
    return static_cast<int>(word >> (4 * order()[output % kInWord]) & 15U) + zero_offset_;
  }
  unsigned weight(std::size_t input, std::size_t output) const {
    if (awq_) {
      const std::uint32_t word = word_at(*packed_.words, input * (outputs_ / kInWord) + output / kInWord);
      return word >> (4 * kAwqOrder[output % kInWord]) & 15U;
    }
    return word_at(*packed_.words, input / kInWord * outputs_ + output) >> (4 * (input % kInWord)) & 15U;
  }
  // Scales as floats, decoded once: before the first call of scale.
  void read_scales() {
    scales_.resize(packed_.scales->bytes.size() / scale_codec_->block_bytes);
    decode_row(*scale_codec_, reinterpret_cast<const unsigned char*>(packed_.scales->bytes.data()),
               scales_.size(), scales_.data());
  }
  float scale(std::size_t group, std::size_t output) const { return scales_[group * outputs_ + output]; }

 private:
  const std::array<int, 8>& order() const { return awq_ ? kAwqOrder : kPlainOrder; }

  const PackedWeights& packed_;
  bool awq_;
  int zero_offset_;
  std::size_t inputs_, outputs_, group_size_;
  const Codec* scale_codec_;
  std::vector<float> scales_;
};

// Whether each input's group is the one that its place gives, so that blocks lie in one group.
bool in_order(const SafeTensor& groups, std::int64_t inputs, std::int64_t group_count) {
  const std::int64_t size = inputs / group_count;
  for (std::int64_t i = 0; i < inputs; ++i) {
    if (word_at(groups, static_cast<std::size_t>(i)) != static_cast<std::uint32_t>(i / size)) return false;
  }
  return true;
}

Result<> check_groups(const SafeTensor& groups, std::int64_t inputs, std::int64_t group_count) {
  if (groups.type != "I32" || groups.shape != std::vector<std::int64_t>{inputs})
    return fail(Error::Code::invalid,
                fmt::format("g_idx of shape [{}] for {} inputs", fmt::join(groups.shape, ", "), inputs));
  for (std::int64_t i = 0; i < inputs; ++i) {
    if (word_at(groups, static_cast<std::size_t>(i)) >= static_cast<std::uint32_t>(group_count))
      return fail(Error::Code::invalid,
                  fmt::format("g_idx names group {} of {}", word_at(groups, static_cast<std::size_t>(i)),
                              group_count));
  }
  return {};
}

bool all_zeros_are(const PackedReader& reader, const PackedForm& form, int wanted) {
  for (std::int64_t group = 0; group < form.group_count; ++group) {
    for (std::int64_t output = 0; output < form.outputs; ++output) {
      if (reader.zero(static_cast<std::size_t>(group), static_cast<std::size_t>(output)) != wanted)
        return false;
    }
  }
  return true;
}

void put_half(float value, std::byte* out) {
  const std::uint16_t bits = float_to_half(value);
  std::memcpy(out, &bits, sizeof bits);
}

// Block `block` of row `output`: 32 inputs of one group.
void put_block(const PackedReader& reader, bool centred, std::size_t block, std::size_t output,
               std::byte* out) {
  const std::size_t first = block * kBlock, group = reader.group_of(first);
  const float scale = reader.scale(group, output);
  put_half(scale, out);
  out += 2;
  if (!centred) {
    put_half(-scale * static_cast<float>(reader.zero(group, output)), out);
    out += 2;
  }
  for (std::size_t i = 0; i < kBlock / 2; ++i) {
    out[i] = static_cast<std::byte>(reader.weight(first + i, output) |
                                    reader.weight(first + i + kBlock / 2, output) << 4);
  }
}

}  // namespace

Result<std::optional<Packing>> packing_of(const Json& quantization) {
  const Json* method = find(quantization, "quant_method");
  const std::string name = method != nullptr && method->is_string() ? method->get<std::string>() : "unknown";
  if (name == "mxfp4" || name == "fp8") return std::nullopt;
  if (name != "awq" && name != "gptq") {
    return unsupported(fmt::format("weights quantized by {} are not supported; awq, gptq, fp8 and mxfp4 are",
                                   printable(name)));
  }
  const Json* bits = find(quantization, "bits");
  if (bits == nullptr || *bits != 4) {
    const std::string said = bits == nullptr             ? "an unknown number of"
                             : bits->is_number_integer() ? util::to_json(*bits)
                                                         : printable(util::to_json(*bits));
    return unsupported(fmt::format("{} weights of {} bits are not supported; those of 4 are", name, said));
  }
  const Json* layout = find(quantization, name == "awq" ? "version" : "checkpoint_format");
  std::string kind = layout != nullptr && layout->is_string() ? layout->get<std::string>() : "";
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name == "awq") {
    if (kind.empty() || kind == "gemm") return Packing::awq;
    return unsupported(
        fmt::format("awq weights laid out for {} are not supported; gemm is", printable(kind)));
  }
  if (kind.empty() || kind == "gptq") return Packing::gptq;
  if (kind == "gptq_v2") return Packing::gptq_v2;
  return unsupported(
      fmt::format("gptq weights laid out as {} are not supported; gptq and gptq_v2 are", printable(kind)));
}

Result<PackedForm> form_of(const PackedWeights& packed, Packing packing, bool uniform) {
  if (packed.words == nullptr || packed.zeros == nullptr || packed.scales == nullptr)
    return fail(Error::Code::invalid, "qweight, qzeros or scales are missing");
  const std::vector<std::int64_t>&words = packed.words->shape, &scales = packed.scales->shape;
  const bool awq = packing == Packing::awq;
  if (words.size() != 2 || scales.size() != 2 || words[0] < 1 || words[1] < 1 || words[0] > 1 << 24 ||
      words[1] > 1 << 24 || scales[0] < 1)
    return fail(Error::Code::invalid, fmt::format("qweight of shape [{}] and scales of [{}]",
                                                  fmt::join(words, ", "), fmt::join(scales, ", ")));
  PackedForm form;
  form.inputs = awq ? words[0] : words[0] * kInWord;
  form.outputs = awq ? words[1] * kInWord : words[1];
  form.group_count = scales[0];
  const std::string& type = packed.scales->type;
  const bool fits =
      packed.words->type == "I32" && packed.zeros->type == "I32" &&
      (type == "F16" || type == "BF16" || type == "F32") && form.outputs % kInWord == 0 &&
      scales[1] == form.outputs && form.group_count <= form.inputs &&
      packed.zeros->shape == std::vector<std::int64_t>{form.group_count, form.outputs / kInWord};
  if (!fits) {
    return fail(Error::Code::invalid,
                fmt::format("qweight [{}] {}, qzeros [{}] {} and scales [{}] {} do not belong together",
                            fmt::join(words, ", "), packed.words->type, fmt::join(packed.zeros->shape, ", "),
                            packed.zeros->type, fmt::join(scales, ", "), type));
  }
  if (packed.groups != nullptr) {
    if (Result<> sound = check_groups(*packed.groups, form.inputs, form.group_count); !sound)
      return tl::unexpected(std::move(sound.error()));
  }
  const bool even = form.inputs % form.group_count == 0;
  const bool ordered =
      even && (packed.groups == nullptr || in_order(*packed.groups, form.inputs, form.group_count));
  if (!ordered && packed.groups == nullptr)
    return fail(Error::Code::invalid, fmt::format("{} inputs in {} groups", form.inputs, form.group_count));
  if (!ordered || form.inputs / form.group_count % kBlock != 0) {
    form.codec = find_codec("f16");
    return form;
  }
  const PackedReader reader(packed, packing, form.inputs, form.outputs, form.group_count);
  form.codec = find_codec(!uniform && all_zeros_are(reader, form, 8) ? "q4_0" : "q4_1");
  return form;
}

void unpack(const PackedWeights& packed, Packing packing, const PackedForm& form, std::span<std::byte> out) {
  PackedReader reader(packed, packing, form.inputs, form.outputs, form.group_count);
  reader.read_scales();
  const auto inputs = static_cast<std::size_t>(form.inputs), outputs = static_cast<std::size_t>(form.outputs);
  const std::size_t row_bytes = form.codec->row_bytes(inputs);
  if (form.codec->block_elements == 1) {
    for (std::size_t input = 0; input < inputs; ++input) {
      const std::size_t group = reader.group_of(input);
      for (std::size_t output = 0; output < outputs; ++output) {
        const int steps = static_cast<int>(reader.weight(input, output)) - reader.zero(group, output);
        put_half(static_cast<float>(steps) * reader.scale(group, output),
                 out.data() + output * row_bytes + input * 2);
      }
    }
    return;
  }
  const bool centred = form.codec->name == "q4_0";
  for (std::size_t block = 0; block < inputs / kBlock; ++block) {
    for (std::size_t output = 0; output < outputs; ++output)
      put_block(reader, centred, block, output,
                out.data() + output * row_bytes + block * form.codec->block_bytes);
  }
}

}  // namespace pensieve::model
