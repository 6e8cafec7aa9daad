// Checking and decoding of weights.
#include "hal/reference/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hal/reference/buffer.h"

namespace pensieve::hal::reference {
namespace {

std::vector<bool> used_by(const Segment& segment) {
  std::vector<bool> used(segment.graph->weights.size(), false);
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    for (const std::uint32_t weight : segment.graph->nodes[i].weights) used[weight] = true;
  }
  return used;
}

tl::unexpected<Error> refuse(const WeightSpec& spec, const std::string& problem) {
  return fail(Error::Code::invalid, fmt::format("weight {}: {}", spec.name, problem));
}

Result<WeightMatrix> check(const WeightSpec& spec, const Weight& weight) {
  if (weight.codec == nullptr || weight.bytes == nullptr) return refuse(spec, "was not given");
  if (weight.shape != spec.shape) {
    return refuse(spec, fmt::format("has shape [{}], the graph wants [{}]", fmt::join(weight.shape, ", "),
                                    fmt::join(spec.shape, ", ")));
  }
  const auto* buffer = dynamic_cast<const HostBuffer*>(weight.bytes);
  if (buffer == nullptr) return refuse(spec, "lies in a buffer of another backend");
  WeightMatrix matrix{weight.codec, reinterpret_cast<const unsigned char*>(buffer->bytes().data()), 1,
                      static_cast<std::size_t>(spec.shape.back())};
  if (spec.shape.size() == 2) matrix.rows = static_cast<std::size_t>(spec.shape.front());
  if (matrix.columns % weight.codec->block_elements != 0) {
    return refuse(spec, fmt::format("rows of {} elements are not whole blocks of {} ({})", matrix.columns,
                                    weight.codec->block_elements, weight.codec->name));
  }
  const std::size_t needed = matrix.rows * weight.codec->row_bytes(matrix.columns);
  if (buffer->size() < needed) return refuse(spec, fmt::format("has {} bytes of {}", buffer->size(), needed));
  return matrix;
}

}  // namespace

Result<Weights> Weights::load(const Segment& segment, std::span<const Weight> weights) {
  const std::vector<WeightSpec>& specs = segment.graph->weights;
  if (weights.size() != specs.size()) {
    return fail(Error::Code::invalid,
                fmt::format("{} weights for a graph of {}", weights.size(), specs.size()));
  }
  const std::vector<bool> used = used_by(segment);
  Weights loaded;
  loaded.matrices_.resize(specs.size());
  loaded.vectors_.resize(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!used[i]) continue;
    auto matrix = check(specs[i], weights[i]);
    if (!matrix) return tl::unexpected(matrix.error());
    loaded.matrices_[i] = *matrix;
    if (specs[i].shape.size() != 1) continue;
    loaded.vectors_[i].resize(matrix->columns);
    decode_row(*matrix->codec, matrix->bytes, matrix->columns, loaded.vectors_[i].data());
  }
  return loaded;
}

std::size_t Weights::bytes_decoded() const {
  std::size_t bytes = 0;
  for (const std::vector<float>& vector : vectors_) bytes += vector.size() * sizeof(float);
  return bytes;
}

std::size_t Weights::bytes_stored(const Segment& segment, std::span<const Weight> weights) {
  const std::vector<bool> used = used_by(segment);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < std::min(weights.size(), used.size()); ++i) {
    if (used[i] && weights[i].bytes != nullptr) bytes += weights[i].bytes->size();
  }
  return bytes;
}

}  // namespace pensieve::hal::reference
