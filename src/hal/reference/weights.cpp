// Checking and decoding of weights.
#include "hal/reference/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hal/reference/buffer.h"

namespace pensieve::hal::reference {
namespace {

struct Use {
  std::vector<bool> any, as_vector;  // [graph weights]
  explicit Use(const Segment& segment)
      : any(segment.graph->weights.size(), false), as_vector(segment.graph->weights.size(), false) {
    for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
      const Node& node = segment.graph->nodes[i];
      const std::size_t matrices = node.op() == Op::experts                            ? 3
                                   : node.op() == Op::linear || node.op() == Op::embed ? 1
                                                                                       : 0;
      for (std::size_t w = 0; w < node.weights.size(); ++w) {
        any[node.weights[w]] = true;
        if (w >= matrices) as_vector[node.weights[w]] = true;
      }
    }
  }
};

tl::unexpected<Error> refuse(const WeightSpec& spec, const std::string& problem) {
  return fail(Error::Code::invalid, fmt::format("weight {}: {}", spec.name, problem));
}

// The bytes of each matrix of a stack, wherever they lie.
Result<std::vector<const unsigned char*>> sources(const WeightSpec& spec, const Weight& weight,
                                                  std::size_t count, std::size_t bytes) {
  std::vector<Buffer*> buffers = weight.parts;
  if (buffers.empty()) buffers.push_back(weight.bytes);
  if (buffers.size() != 1 && buffers.size() != count)
    return refuse(spec, fmt::format("comes in {} parts for {} matrices", buffers.size(), count));
  const std::size_t in_each = count / buffers.size();
  std::vector<const unsigned char*> found;
  for (const Buffer* given : buffers) {
    const auto* buffer = dynamic_cast<const HostBuffer*>(given);
    if (buffer == nullptr) return refuse(spec, "was not given, or lies in a buffer of another backend");
    if (buffer->size() < in_each * bytes)
      return refuse(spec, fmt::format("has {} bytes of {}", buffer->size(), in_each * bytes));
    for (std::size_t i = 0; i < in_each; ++i)
      found.push_back(reinterpret_cast<const unsigned char*>(buffer->bytes().data()) + i * bytes);
  }
  return found;
}

Result<std::vector<WeightMatrix>> check(const WeightSpec& spec, const Weight& weight) {
  if (weight.codec == nullptr) return refuse(spec, "was not given");
  if (weight.shape != spec.shape) {
    return refuse(spec, fmt::format("has shape [{}], the graph wants [{}]", fmt::join(weight.shape, ", "),
                                    fmt::join(spec.shape, ", ")));
  }
  const std::size_t dimensions = spec.shape.size();
  WeightMatrix matrix{weight.codec, nullptr, 1, static_cast<std::size_t>(spec.shape.back())};
  if (dimensions > 1) matrix.rows = static_cast<std::size_t>(spec.shape[dimensions - 2]);
  if (matrix.columns % weight.codec->block_elements != 0) {
    return refuse(spec, fmt::format("rows of {} elements are not whole blocks of {} ({})", matrix.columns,
                                    weight.codec->block_elements, weight.codec->name));
  }
  const std::size_t count = dimensions > 2 ? static_cast<std::size_t>(spec.shape.front()) : 1;
  const auto bytes = sources(spec, weight, count, matrix.rows * weight.codec->row_bytes(matrix.columns));
  if (!bytes) return tl::unexpected(bytes.error());
  std::vector<WeightMatrix> stack(count, matrix);
  for (std::size_t i = 0; i < count; ++i) stack[i].bytes = (*bytes)[i];
  return stack;
}

std::vector<float> decoded(const std::vector<WeightMatrix>& stack) {
  const WeightMatrix& one = stack.front();
  std::vector<float> values(stack.size() * one.rows * one.columns);
  float* out = values.data();
  for (const WeightMatrix& matrix : stack) {
    for (std::size_t row = 0; row < one.rows; ++row, out += one.columns)
      decode_row(*one.codec, matrix.row(row), one.columns, out);
  }
  return values;
}

}  // namespace

Result<Weights> Weights::load(const Segment& segment, std::span<const Weight> weights) {
  const std::vector<WeightSpec>& specs = segment.graph->weights;
  if (weights.size() != specs.size()) {
    return fail(Error::Code::invalid,
                fmt::format("{} weights for a graph of {}", weights.size(), specs.size()));
  }
  const Use use(segment);
  Weights loaded;
  loaded.matrices_.resize(specs.size());
  loaded.vectors_.resize(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!use.any[i]) continue;
    auto stack = check(specs[i], weights[i]);
    if (!stack) return tl::unexpected(stack.error());
    loaded.matrices_[i] = std::move(*stack);
    if (use.as_vector[i]) loaded.vectors_[i] = decoded(loaded.matrices_[i]);
  }
  return loaded;
}

std::size_t Weights::bytes_decoded() const {
  std::size_t bytes = 0;
  for (const std::vector<float>& vector : vectors_) bytes += vector.size() * sizeof(float);
  return bytes;
}

std::size_t Weights::bytes_stored(const Segment& segment, std::span<const Weight> weights) {
  const Use use(segment);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < std::min(weights.size(), use.any.size()); ++i) {
    if (!use.any[i]) continue;
    if (weights[i].bytes != nullptr) bytes += weights[i].bytes->size();
    for (const Buffer* part : weights[i].parts) bytes += part->size();
  }
  return bytes;
}

}  // namespace pensieve::hal::reference
