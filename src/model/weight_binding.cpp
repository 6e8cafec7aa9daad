// Comparing what the graph wants with what the file has, and adopting the bytes.
#include "model/weight_binding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <string_view>

#include "model/formats/checked_math.h"
#include "model/formats/findings.h"

namespace pensieve::model {
namespace {

constexpr std::size_t kNamed = 5;  // faults told in words; the rest is counted

// Left behind by converters of 2023; the angles are computed.
bool is_obsolete(std::string_view name) {
  return name.find("attn_rot_embd") != std::string_view::npos ||
         name.find("rotary_emb.inv_freq") != std::string_view::npos;
}

// The shape that the tensor must have: the weight's, or with the rows that other weights take.
std::vector<std::int64_t> tensor_shape(const WeightSpec& spec) {
  std::vector<std::int64_t> shape = spec.shape;
  if (spec.tensor_rows > 0) shape.front() = spec.tensor_rows;
  return shape;
}

// Files write [n] also as [1, n] or [n, 1], and a vector for each head as [heads, n].
bool same_shape(std::vector<std::int64_t> found, const std::vector<std::int64_t>& wanted) {
  if (wanted.size() == 1) return element_count(found) == wanted.front();
  if (found.size() <= wanted.size()) return found == wanted;
  // Sizes of 1 may stand anywhere: convolutions of single columns are [columns, 1, taps].
  for (std::size_t i = 0; i < found.size() && found.size() > wanted.size();) {
    if (found[i] == 1 && (i >= wanted.size() || wanted[i] != 1)) {
      found.erase(found.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  return found == wanted;
}

std::string fault_of(const WeightSpec& wanted, const TensorInfo* found) {
  if (found == nullptr) return fmt::format("{} is missing", wanted.name);
  if (const std::vector<std::int64_t> shape = tensor_shape(wanted); !same_shape(found->shape, shape)) {
    return fmt::format("{} has shape [{}], expected [{}]", wanted.name, fmt::join(found->shape, ", "),
                       fmt::join(shape, ", "));
  }
  if (found->codec == nullptr)
    return fmt::format("{} has type {}, which this build cannot read", wanted.name, found->type_name);
  return {};
}

tl::unexpected<Error> refuse(std::vector<std::string> faults, bool only_types) {
  const std::size_t count = faults.size();
  faults.resize(std::min(count, kNamed));
  return fail(only_types ? Error::Code::unsupported : Error::Code::invalid,
              fmt::format("{} tensor{} do{} not fit the model: {}{}", count, count == 1 ? "" : "s",
                          count == 1 ? "es" : "", fmt::join(faults, "; "), count > kNamed ? "; …" : ""),
              {}, only_types ? "model_unsupported" : "model_invalid");
}

Result<std::unique_ptr<Buffer>> copied(std::span<const std::byte> bytes, Backend& backend) {
  Result<std::unique_ptr<Buffer>> buffer = backend.allocate(bytes.size(), Memory::weights);
  if (!buffer) return buffer;
  if (Result<> written = backend.write(**buffer, 0, bytes); !written)
    return tl::unexpected(std::move(written).error());
  return buffer;
}

// The bytes of the rows that the weight takes of its tensor.
std::span<const std::byte> rows_of(const TensorInfo& tensor, const WeightSpec& spec) {
  if (spec.tensor_rows == 0) return tensor.bytes;
  const std::size_t row_bytes = tensor.bytes.size() / static_cast<std::size_t>(spec.tensor_rows);
  return tensor.bytes.subspan(static_cast<std::size_t>(spec.first) * row_bytes,
                              static_cast<std::size_t>(spec.shape.front()) * row_bytes);
}

Result<std::unique_ptr<Buffer>> adopted(std::span<const std::byte> bytes, Backend& backend) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) == 0;
  return aligned ? backend.adopt(bytes) : copied(bytes, backend);
}

Result<> provide(const TensorInfo& tensor, const WeightSpec& spec, const Codec& f32, Backend& backend,
                 BoundWeights& bound) {
  Weight weight{.codec = tensor.codec, .shape = spec.shape};
  const auto keep = [&](Result<std::unique_ptr<Buffer>> buffer) -> Result<Buffer*> {
    if (!buffer) return tl::unexpected(std::move(buffer).error());
    bound.buffers.push_back(std::move(*buffer));
    return bound.buffers.back().get();
  };
  for (const std::span<const std::byte> part : tensor.parts) {
    const Result<Buffer*> buffer = keep(adopted(part, backend));
    if (!buffer) return tl::unexpected(buffer.error());
    weight.parts.push_back(*buffer);
  }
  if (tensor.parts.empty()) {
    const std::span<const std::byte> bytes = rows_of(tensor, spec);
    Result<std::unique_ptr<Buffer>> made = nullptr;
    if (spec.shape.size() > 1 || tensor.codec == &f32) {
      made = adopted(bytes, backend);
    } else {
      std::vector<float> decoded(static_cast<std::size_t>(spec.shape.front()));
      decode_row(*tensor.codec, reinterpret_cast<const unsigned char*>(bytes.data()), decoded.size(),
                 decoded.data());
      weight.codec = &f32;
      made = copied(std::as_bytes(std::span(decoded)), backend);
    }
    const Result<Buffer*> buffer = keep(std::move(made));
    if (!buffer) return tl::unexpected(buffer.error());
    weight.bytes = *buffer;
  }
  bound.weights.push_back(std::move(weight));
  return {};
}

bool begins_with_any(std::string_view name, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](const std::string& beginning) {
    return name.substr(0, beginning.size()) == beginning;
  });
}

}  // namespace

Result<> check_weights(const Graph& graph, const ModelFile& file) {
  std::vector<std::string> faults;
  bool only_types = true;
  std::set<std::string_view> used;
  for (const WeightSpec& wanted : graph.weights) {
    const TensorInfo* found = file.find(wanted.name);
    used.insert(wanted.name);
    std::string fault = fault_of(wanted, found);
    if (fault.empty()) continue;
    only_types = only_types && found != nullptr && same_shape(found->shape, tensor_shape(wanted));
    faults.push_back(std::move(fault));
  }
  for (const TensorInfo& tensor : file.tensors()) {
    if (used.count(tensor.name) != 0 || is_obsolete(tensor.name)) continue;
    if (begins_with_any(tensor.name, graph.unused)) continue;
    only_types = false;
    faults.push_back(fmt::format("{} is not known to this architecture", printable(tensor.name)));
  }
  if (!faults.empty()) return refuse(std::move(faults), only_types);
  return {};
}

Result<BoundWeights> bind_weights(const Graph& graph, const ModelFile& file, Backend& backend) {
  const Codec* f32 = find_codec("f32");
  if (f32 == nullptr) return fail(Error::Code::internal, "this build has no f32 codec");
  BoundWeights bound;
  for (const WeightSpec& spec : graph.weights) {
    const TensorInfo* tensor = file.find(spec.name);
    if (tensor == nullptr || tensor->codec == nullptr)
      return fail(Error::Code::internal, spec.name + " was not checked");
    if (Result<> given = provide(*tensor, spec, *f32, backend, bound); !given)
      return tl::unexpected(std::move(given).error());
  }
  return bound;
}

}  // namespace pensieve::model
