// WeightStore: every worker packs its own share of each matrix, so that it is the first to touch that memory,
// and the file's pages are given back matrix by matrix: at no time do both copies of everything exist.
#include "hal/cpu/weight_store.h"

#include <fmt/format.h>

#include "hal/cpu/buffer.h"

namespace pensieve::hal::cpu {
namespace {

struct Dimensions {
  std::size_t count, rows, columns;  // matrices, and of each
};
Dimensions dimensions_of(const std::vector<std::int64_t>& shape) {
  const std::size_t last = shape.size() - 1;
  return {last > 1 ? static_cast<std::size_t>(shape[0]) : 1,
          last > 0 ? static_cast<std::size_t>(shape[last - 1]) : 1, static_cast<std::size_t>(shape[last])};
}

// Where each matrix of the weight begins.
Result<std::vector<const std::uint8_t*>> sources_of(const WeightSpec& spec, const Weight& weight) {
  if (weight.codec == nullptr || (weight.bytes == nullptr && weight.parts.empty()))
    return fail(Error::Code::invalid, fmt::format("weight {} has no data", spec.name));
  if (weight.shape != spec.shape) {
    return fail(Error::Code::invalid,
                fmt::format("weight {} has shape [{}], the graph wants [{}]", spec.name,
                            fmt::join(weight.shape, ", "), fmt::join(spec.shape, ", ")));
  }
  const Dimensions is = dimensions_of(spec.shape);
  if (is.columns % weight.codec->block_elements != 0) {
    return fail(Error::Code::invalid, fmt::format("weight {}: rows of {} are not whole blocks of {}",
                                                  spec.name, is.columns, weight.codec->name));
  }
  std::vector<Buffer*> buffers = weight.parts;
  if (buffers.empty()) buffers.push_back(weight.bytes);
  if (buffers.size() != 1 && buffers.size() != is.count) {
    return fail(Error::Code::invalid,
                fmt::format("weight {} comes in {} parts, not {}", spec.name, buffers.size(), is.count));
  }
  const std::size_t bytes = is.rows * weight.codec->row_bytes(is.columns),
                    in_each = is.count / buffers.size();
  std::vector<const std::uint8_t*> sources;
  for (const Buffer* given : buffers) {
    const auto* buffer = dynamic_cast<const HostBuffer*>(given);
    if (buffer == nullptr)
      return fail(Error::Code::invalid, fmt::format("weight {} is not in host memory", spec.name));
    if (buffer->size() < in_each * bytes) {
      return fail(Error::Code::invalid, fmt::format("weight {} has {} bytes, needs {}", spec.name,
                                                    buffer->size(), in_each * bytes));
    }
    for (std::size_t i = 0; i < in_each; ++i) sources.push_back(buffer->data() + i * bytes);
  }
  return sources;
}

// The form of a matrix, but for where it lies.
Matrix shaped(const Weight& weight, const Kernels& kernels) {
  const Dimensions is = dimensions_of(weight.shape);
  Matrix matrix{
      .codec = weight.codec, .outputs = static_cast<int>(is.rows), .inputs = static_cast<int>(is.columns)};
  const auto kind = kind_for(*weight.codec);
  matrix.shape = packed_shape(kind.value_or(WeightKind::f32), kernels, matrix.outputs, matrix.inputs);
  matrix.quantized_panel = kind && wants_quantized(*kind);
  return matrix;
}

std::size_t stored_bytes(const Weight& weight) {
  const Dimensions is = dimensions_of(weight.shape);
  return is.count * is.rows * weight.codec->row_bytes(is.columns);
}

std::vector<float> decoded(const Weight& weight, const std::vector<const std::uint8_t*>& sources) {
  const Dimensions is = dimensions_of(weight.shape);
  std::vector<float> values(is.count * is.rows * is.columns);
  float* out = values.data();
  for (const std::uint8_t* source : sources) {
    for (std::size_t row = 0; row < is.rows; ++row, out += is.columns)
      decode_row(*weight.codec, source + row * weight.codec->row_bytes(is.columns), is.columns, out);
  }
  return values;
}

void release(const Weight& weight) {
  if (weight.bytes != nullptr) weight.bytes->release_source();
  for (Buffer* part : weight.parts) part->release_source();
}

struct PackWork {
  const Matrix* matrix;
  std::uint8_t* out;
  int workers;
};

void pack_share(void* context, int worker) {
  const auto& work = *static_cast<const PackWork*>(context);
  const PackedShape& shape = work.matrix->shape;
  const auto share = [&](int index) {
    return static_cast<int>(std::int64_t{shape.groups} * index / work.workers);
  };
  const int begin = share(worker), end = share(worker + 1);
  pack_groups(shape, *work.matrix->codec, work.matrix->source, begin, end,
              work.out + static_cast<std::size_t>(begin) * shape.group_bytes);
}

}  // namespace

WeightUse::WeightUse(const Segment& segment) {
  const Graph& graph = *segment.graph;
  matrix.resize(graph.weights.size());
  looked_up.resize(graph.weights.size());
  vector.resize(graph.weights.size());
  for (std::uint32_t i = segment.first_node; i < segment.end_node; ++i) {
    const Node& node = graph.nodes[i];
    const std::size_t matrices = node.op() == Op::experts                            ? 3
                                 : node.op() == Op::linear || node.op() == Op::embed ? 1
                                                                                     : 0;
    for (std::size_t w = 0; w < node.weights.size(); ++w) {
      if (w >= matrices) {
        vector[node.weights[w]] = true;
      } else if (node.op() == Op::embed) {
        looked_up[node.weights[w]] = true;
      } else {
        matrix[node.weights[w]] = true;
      }
    }
  }
}

Result<WeightStore> WeightStore::open(const Segment& segment, std::span<const Weight> weights,
                                      const Kernels& kernels, util::ThreadPool& pool) {
  const Graph& graph = *segment.graph;
  const WeightUse use(segment);
  WeightStore store;
  store.matrices_.resize(graph.weights.size());
  store.vectors_.resize(graph.weights.size());
  std::size_t packed_bytes = 0;
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    if (!use.matrix[i] && !use.looked_up[i] && !use.vector[i]) continue;
    const auto sources = sources_of(graph.weights[i], weights[i]);
    if (!sources) return tl::unexpected(sources.error());
    if (use.vector[i]) {
      store.vectors_[i] = decoded(weights[i], *sources);
      store.bytes_ += store.vectors_[i].size() * sizeof(float);
    }
    if (!use.matrix[i] && !use.looked_up[i]) continue;
    store.matrices_[i].assign(sources->size(), shaped(weights[i], kernels));
    for (std::size_t m = 0; m < sources->size(); ++m) store.matrices_[i][m].source = (*sources)[m];
    if (use.matrix[i] && kind_for(*weights[i].codec)) {
      packed_bytes += store.matrices_[i].front().shape.bytes() * sources->size();
    } else {
      store.bytes_ += stored_bytes(weights[i]);
    }
  }
  auto region = Region::open(packed_bytes, true);
  if (!region) return tl::unexpected(region.error());
  store.packed_ = std::move(*region);
  store.bytes_ += packed_bytes;
  std::uint8_t* out = store.packed_.data();
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    if (!use.matrix[i] || !kind_for(*weights[i].codec)) continue;
    for (Matrix& matrix : store.matrices_[i]) {
      PackWork work{&matrix, out, pool.workers()};
      pool.start(&pack_share, &work);
      pool.join();
      matrix.packed = out;
      out += matrix.shape.bytes();
    }
    release(weights[i]);
  }
  return store;
}

WeightStore WeightStore::shapes(const Segment& segment, std::span<const Weight> weights,
                                const Kernels& kernels) {
  const WeightUse use(segment);
  WeightStore store;
  store.matrices_.resize(weights.size());
  store.vectors_.resize(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i].codec == nullptr || weights[i].shape.empty() || (!use.matrix[i] && !use.looked_up[i]))
      continue;
    store.matrices_[i].assign(dimensions_of(weights[i].shape).count, shaped(weights[i], kernels));
  }
  return store;
}

std::size_t WeightStore::estimate(const Segment& segment, std::span<const Weight> weights,
                                  const Kernels& kernels) {
  const WeightUse use(segment);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Weight& weight = weights[i];
    if (weight.codec == nullptr || weight.shape.empty()) continue;
    const Dimensions is = dimensions_of(weight.shape);
    if (use.vector[i]) bytes += is.count * is.rows * is.columns * sizeof(float);
    if (!use.matrix[i] && !use.looked_up[i]) continue;
    if (use.matrix[i] && kind_for(*weight.codec)) {
      bytes += shaped(weight, kernels).shape.bytes() * is.count;
    } else {
      bytes += stored_bytes(weight);
    }
  }
  return bytes;
}

void Matrix::read_row(int row, float* out) const {
  if (packed != nullptr) return unpack_row(shape, packed, row, out);
  const auto columns = static_cast<std::size_t>(inputs);
  decode_row(*codec, source + static_cast<std::size_t>(row) * codec->row_bytes(columns), columns, out);
}

}  // namespace pensieve::hal::cpu
