// Comparing what the graph wants with what the file has, and adopting the bytes.
#include "model/weight_binding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <string_view>

#include "model/formats/findings.h"

namespace pensieve::model {
namespace {

constexpr std::size_t kNamed = 5;  // faults told in words; the rest is counted

// Left behind by converters of 2023; the angles are computed.
bool is_obsolete(std::string_view name) {
  return name.find("attn_rot_embd") != std::string_view::npos ||
         name.find("rotary_emb.inv_freq") != std::string_view::npos;
}

// Files write [n] also as [1, n].
bool same_shape(std::vector<std::int64_t> found, const std::vector<std::int64_t>& wanted) {
  while (found.size() > wanted.size() && found.front() == 1) found.erase(found.begin());
  return found == wanted;
}

std::string fault_of(const WeightSpec& wanted, const TensorInfo* found) {
  if (found == nullptr) return fmt::format("{} is missing", wanted.name);
  if (!same_shape(found->shape, wanted.shape)) {
    return fmt::format("{} has shape [{}], expected [{}]", wanted.name, fmt::join(found->shape, ", "),
                       fmt::join(wanted.shape, ", "));
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

bool must_copy(const TensorInfo& tensor, const WeightSpec& spec, const Codec& f32) {
  const bool vector = spec.shape.size() == 1 && tensor.codec != &f32;
  return vector || reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignof(float) != 0;
}

Result<std::unique_ptr<Buffer>> copied(std::span<const std::byte> bytes, Backend& backend) {
  Result<std::unique_ptr<Buffer>> buffer = backend.allocate(bytes.size(), Memory::weights);
  if (!buffer) return buffer;
  if (Result<> written = backend.write(**buffer, 0, bytes); !written)
    return tl::unexpected(std::move(written).error());
  return buffer;
}

Result<std::unique_ptr<Buffer>> provide(const TensorInfo& tensor, const WeightSpec& spec, const Codec& f32,
                                        Backend& backend, Weight& weight) {
  if (!must_copy(tensor, spec, f32)) return backend.adopt(tensor.bytes);
  if (spec.shape.size() > 1 || tensor.codec == &f32) return copied(tensor.bytes, backend);
  const auto elements = static_cast<std::size_t>(spec.shape.front());
  std::vector<float> decoded(elements);
  decode_row(*tensor.codec, reinterpret_cast<const unsigned char*>(tensor.bytes.data()), elements,
             decoded.data());
  weight.codec = &f32;
  return copied(std::as_bytes(std::span(decoded)), backend);
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
    only_types = only_types && found != nullptr && same_shape(found->shape, wanted.shape);
    faults.push_back(std::move(fault));
  }
  for (const TensorInfo& tensor : file.tensors()) {
    if (used.count(tensor.name) != 0 || is_obsolete(tensor.name)) continue;
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
    Weight weight{.codec = tensor->codec, .shape = spec.shape};
    Result<std::unique_ptr<Buffer>> buffer = provide(*tensor, spec, *f32, backend, weight);
    if (!buffer) return tl::unexpected(std::move(buffer).error());
    weight.bytes = buffer->get();
    bound.buffers.push_back(std::move(*buffer));
    bound.weights.push_back(std::move(weight));
  }
  return bound;
}

}  // namespace pensieve::model
