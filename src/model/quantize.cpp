// See quantize.h. Which tensors of a mix get more bits follows what users of these names know: the rule of
// every third layer, and all of the first and last eighth, is the field's.
#include "model/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

namespace pensieve::model {
namespace {

struct Mix {
  std::string_view name, base, more;  // codecs; `more` for the output and the tensors that need it
  bool by_layer = false;              // also values and down projections of some layers
  std::int64_t file_type;             // general.file_type
};
constexpr std::array kMixes{
    Mix{"q2_k_s", "q2_k", "q4_k", false, 21}, Mix{"q3_k_s", "q3_k", "q6_k", false, 11},
    Mix{"q3_k_m", "q3_k", "q5_k", true, 12},  Mix{"q4_k_s", "q4_k", "q6_k", false, 14},
    Mix{"q4_k_m", "q4_k", "q6_k", true, 15},  Mix{"q5_k_s", "q5_k", "q6_k", false, 16},
    Mix{"q5_k_m", "q5_k", "q6_k", true, 17},  Mix{"q4_0", "q4_0", "q6_k", false, 2},
    Mix{"q4_1", "q4_1", "q6_k", false, 3},    Mix{"q5_0", "q5_0", "q6_k", false, 8},
    Mix{"q5_1", "q5_1", "q6_k", false, 9},
};
// What takes the place of a type whose blocks do not fit into a row.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kSmaller{{{"q2_k", "q4_0"},
                                                                                 {"q3_k", "q4_0"},
                                                                                 {"q4_k", "q5_0"},
                                                                                 {"q5_k", "q5_1"},
                                                                                 {"q6_k", "q8_0"},
                                                                                 {"iq4_xs", "iq4_nl"},
                                                                                 {"tq2_0", "q4_0"}}};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  });
  return out;
}

bool encodes(const Codec& codec) {
  return codec.encode != nullptr;
}

// A weight matrix of a linear layer or an embedding: what quantization is for.
bool is_matrix(const TensorInfo& tensor) {
  constexpr std::array<std::string_view, 7> kKept{
      "norm", "ffn_gate_inp", "position_embd", "token_types", "ssm_conv1d", "shortconv", "rope_freqs"};
  if (tensor.shape.size() < 2 || !tensor.name.ends_with(".weight")) return false;
  if (tensor.shape[tensor.shape.size() - 2] < 2) return false;
  return std::none_of(kKept.begin(), kKept.end(),
                      [&](std::string_view part) { return tensor.name.find(part) != std::string::npos; });
}

std::optional<std::int64_t> layer_of(std::string_view name) {
  if (!name.starts_with("blk.")) return std::nullopt;
  std::int64_t layer = 0;
  const auto [end, problem] = std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  if (problem != std::errc()) return std::nullopt;
  return layer;
}

bool needs_more(std::string_view name, const Mix& mix, bool tied, std::int64_t layers) {
  if (name == "output.weight" || (tied && name == "token_embd.weight")) return true;
  const auto layer = layer_of(name);
  const bool sensitive = name.find("attn_v.") != std::string_view::npos ||
                         name.find("attn_qkv.") != std::string_view::npos ||
                         name.find("ffn_down") != std::string_view::npos;
  if (!mix.by_layer || !layer || !sensitive) return false;
  return *layer < layers / 8 || *layer >= 7 * layers / 8 || (*layer - layers / 8) % 3 == 2;
}

// The codec itself, or the one that stands in where rows are no whole number of its blocks; null: none fits.
const Codec* fitting(std::string_view name, std::int64_t columns) {
  for (int tries = 0; tries < 3; ++tries) {
    const Codec* codec = find_codec(name);
    if (codec != nullptr && columns % codec->block_elements == 0) return codec;
    const auto smaller =
        std::find_if(kSmaller.begin(), kSmaller.end(), [&](const auto& pair) { return pair.first == name; });
    if (smaller == kSmaller.end()) return nullptr;
    name = smaller->second;
  }
  return nullptr;
}

Result<Mix> find_mix(std::string_view type) {
  const std::string wanted = lower(type);
  for (const Mix& mix : kMixes) {
    if (mix.name == wanted) return mix;
  }
  const Codec* codec = find_codec(wanted);
  if (codec != nullptr && encodes(*codec)) return Mix{codec->name, codec->name, codec->name, false, -1};
  std::string known;
  for (const std::string& name : quantization_names()) known += (known.empty() ? "" : ", ") + name;
  return fail(Error::Code::invalid,
              fmt::format("cannot quantize to '{}'; known are {}", type.substr(0, 60), known), "type");
}

// Experts may come one by one.
const unsigned char* row_of(const TensorInfo& tensor, std::size_t row, std::size_t row_bytes) {
  std::span<const std::byte> bytes = tensor.bytes;
  if (!tensor.parts.empty()) {
    const std::size_t in_part = tensor.parts.front().size() / row_bytes;
    bytes = tensor.parts[row / in_part];
    row %= in_part;
  }
  return reinterpret_cast<const unsigned char*>(bytes.data()) + row * row_bytes;
}

// Rows [first, last) of a tensor, decoded and encoded again.
void convert_rows(const TensorInfo& tensor, const Codec& to, std::size_t first, std::size_t last,
                  unsigned char* out) {
  const auto columns = static_cast<std::size_t>(tensor.shape.back());
  const std::size_t from_bytes = tensor.codec->row_bytes(columns), to_bytes = to.row_bytes(columns);
  std::vector<float> values(columns);
  for (std::size_t row = first; row < last; ++row, out += to_bytes) {
    decode_row(*tensor.codec, row_of(tensor, row, from_bytes), columns, values.data());
    encode_row(to, values.data(), columns, out);
  }
}

void write_as_is(std::ofstream& out, const TensorInfo& tensor) {
  const auto write = [&out](std::span<const std::byte> bytes) {
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  };
  write(tensor.bytes);
  for (const std::span<const std::byte> part : tensor.parts) write(part);
}

Result<> write_converted(std::ofstream& out, const TensorInfo& tensor, const TensorToWrite& target,
                         int threads, const std::function<void(std::uint64_t)>& advance) {
  const auto columns = static_cast<std::size_t>(tensor.shape.back());
  const std::size_t row_bytes = target.codec->row_bytes(columns);
  const std::size_t rows = target.bytes() / row_bytes;
  constexpr std::size_t kSlab = std::size_t{4} << 20;  // bytes that a thread has in hand
  const std::size_t slab = std::max<std::size_t>(1, kSlab / row_bytes);
  std::vector<std::vector<unsigned char>> results(static_cast<std::size_t>(threads));
  for (std::size_t first = 0; first < rows; first += slab * results.size()) {
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::size_t begin = std::min(rows, first + i * slab), end = std::min(rows, begin + slab);
      results[i].resize((end - begin) * row_bytes);
      workers.emplace_back(
          [&, begin, end, i] { convert_rows(tensor, *target.codec, begin, end, results[i].data()); });
    }
    for (std::thread& worker : workers) worker.join();
    for (const auto& bytes : results) {
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      advance(bytes.size());
    }
    if (!out)
      return fail(Error::Code::io, fmt::format("'{}' could not be written; is the disk full?", tensor.name));
  }
  return {};
}

}  // namespace

void convert_tensor(const TensorInfo& tensor, const Codec& to, std::span<std::byte> out, int threads) {
  const std::size_t row_bytes = to.row_bytes(static_cast<std::size_t>(tensor.shape.back()));
  const std::size_t rows = out.size() / row_bytes;
  const auto shares = static_cast<std::size_t>(std::max(threads, 1));
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < shares; ++i) {
    const std::size_t begin = rows * i / shares, end = rows * (i + 1) / shares;
    auto* to_bytes = reinterpret_cast<unsigned char*>(out.data()) + begin * row_bytes;
    if (begin < end)
      workers.emplace_back(
          [&tensor, &to, begin, end, to_bytes] { convert_rows(tensor, to, begin, end, to_bytes); });
  }
  for (std::thread& worker : workers) worker.join();
}

std::vector<std::string> quantization_names() {
  std::vector<std::string> names;
  for (const Codec* codec : codecs()) {
    if (encodes(*codec)) names.emplace_back(codec->name);
  }
  for (const Mix& mix : kMixes) {
    if (find_codec(mix.name) == nullptr) names.emplace_back(mix.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::uint64_t QuantizationPlan::bytes() const {
  std::uint64_t sum = 0;
  for (const TensorToWrite& tensor : tensors) sum += tensor.bytes();
  return sum;
}

Result<QuantizationPlan> plan_quantization(const ModelFile& file, std::string_view type) {
  const auto mix = find_mix(type);
  if (!mix) return tl::unexpected(mix.error());
  QuantizationPlan plan;
  plan.metadata = file.metadata();
  plan.metadata.set("general.quantization_version", std::uint64_t{2});
  if (mix->file_type >= 0) plan.metadata.set("general.file_type", static_cast<std::uint64_t>(mix->file_type));
  std::int64_t layers = 0;
  for (const TensorInfo& tensor : file.tensors())
    layers = std::max(layers, layer_of(tensor.name).value_or(-1) + 1);
  const bool tied = file.find("output.weight") == nullptr;
  for (const TensorInfo& tensor : file.tensors()) {
    if (tensor.codec == nullptr) {
      return fail(Error::Code::unsupported,
                  fmt::format("tensor {} is stored as {}, which this build cannot read", tensor.name,
                              tensor.type_name));
    }
    TensorToWrite target{tensor.name, tensor.codec, tensor.shape};
    if (is_matrix(tensor)) {
      const std::string_view wanted = needs_more(tensor.name, *mix, tied, layers) ? mix->more : mix->base;
      const Codec* codec = fitting(wanted, tensor.shape.back());
      target.codec = codec != nullptr ? codec : find_codec("f16");
      if (target.codec->name != wanted) {
        plan.notes.push_back(fmt::format("{}: {} instead of {}: rows of {} are no whole number of blocks",
                                         tensor.name, target.codec->name, wanted, tensor.shape.back()));
      }
    }
    plan.tensors.push_back(std::move(target));
  }
  return plan;
}

Result<> write_quantized(const ModelFile& file, const QuantizationPlan& plan, const std::string& path,
                         int threads, const std::function<void(std::uint64_t)>& advance) {
  const std::string unfinished = path + ".unfinished";
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  const auto give_up = [&](std::string what) -> Result<> {
    out.close();
    std::error_code ignored;
    std::filesystem::remove(unfinished, ignored);
    return fail(Error::Code::io, std::move(what));
  };
  if (!out) return give_up(fmt::format("'{}' cannot be created; check folder and rights", unfinished));
  const std::string head = gguf_head(plan.metadata, plan.tensors);
  out.write(head.data(), static_cast<std::streamsize>(head.size()));
  for (const TensorToWrite& target : plan.tensors) {
    const TensorInfo& tensor = *file.find(target.name);
    if (target.codec == tensor.codec) {
      write_as_is(out, tensor);
      advance(target.bytes());
    } else if (auto written = write_converted(out, tensor, target, threads, advance); !written) {
      return give_up(written.error().what);
    }
    const std::string padding(gguf_padding(target.bytes()), '\0');
    out.write(padding.data(), static_cast<std::streamsize>(padding.size()));
    if (!out) return give_up(fmt::format("'{}' could not be written; is the disk full?", unfinished));
  }
  out.close();
  std::error_code problem;
  if (!out) return give_up(fmt::format("'{}' could not be written; is the disk full?", unfinished));
  std::filesystem::rename(unfinished, path, problem);
  if (problem) return give_up(fmt::format("'{}' cannot be created: {}", path, problem.message()));
  return {};
}

}  // namespace pensieve::model
