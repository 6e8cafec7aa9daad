// WeightStore: every worker packs its own share of each matrix, so that it is the first to touch that memory,
// and the file's pages are given back matrix by matrix: at no time do both copies of everything exist.
#include "hal/cpu/weight_store.h"

#include <fmt/format.h>

#include "hal/cpu/buffer.h"

namespace pensieve::hal::cpu {
namespace {

Result<const std::uint8_t*> source_of(const WeightSpec& spec, const Weight& weight) {
  if (weight.codec == nullptr || weight.bytes == nullptr)
    return fail(Error::Code::invalid, fmt::format("weight {} has no data", spec.name));
  if (weight.shape != spec.shape) {
    return fail(Error::Code::invalid,
                fmt::format("weight {} has shape [{}], the graph wants [{}]", spec.name,
                            fmt::join(weight.shape, ", "), fmt::join(spec.shape, ", ")));
  }
  const auto* buffer = dynamic_cast<const HostBuffer*>(weight.bytes);
  if (buffer == nullptr)
    return fail(Error::Code::invalid, fmt::format("weight {} is not in host memory", spec.name));
  const auto columns = static_cast<std::size_t>(spec.shape.back());
  if (columns % weight.codec->block_elements != 0) {
    return fail(Error::Code::invalid, fmt::format("weight {}: rows of {} are not whole blocks of {}",
                                                  spec.name, columns, weight.codec->name));
  }
  std::size_t rows = 1;
  for (std::size_t i = 0; i + 1 < spec.shape.size(); ++i) rows *= static_cast<std::size_t>(spec.shape[i]);
  if (buffer->size() < rows * weight.codec->row_bytes(columns)) {
    return fail(Error::Code::invalid, fmt::format("weight {} has {} bytes, needs {}", spec.name,
                                                  buffer->size(), rows * weight.codec->row_bytes(columns)));
  }
  return buffer->data();
}

// The form of a matrix, but for where it lies.
Matrix shaped(const Weight& weight, const Kernels& kernels) {
  Matrix matrix{.codec = weight.codec,
                .outputs = static_cast<int>(weight.shape[0]),
                .inputs = static_cast<int>(weight.shape[1])};
  const auto kind = kind_for(*weight.codec);
  matrix.shape = packed_shape(kind.value_or(WeightKind::f32), kernels, matrix.outputs, matrix.inputs);
  matrix.quantized_panel = kind && wants_quantized(*kind);
  return matrix;
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
    const bool first_is_matrix = node.op() == Op::linear || node.op() == Op::embed;
    for (std::size_t w = 0; w < node.weights.size(); ++w) {
      if (w > 0 || !first_is_matrix) {
        vector[node.weights[w]] = true;
      } else if (node.op() == Op::linear) {
        matrix[node.weights[w]] = true;
      } else {
        looked_up[node.weights[w]] = true;
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
    const auto source = source_of(graph.weights[i], weights[i]);
    if (!source) return tl::unexpected(source.error());
    if (use.vector[i]) {
      store.vectors_[i].resize(static_cast<std::size_t>(graph.weights[i].shape.back()));
      decode_row(*weights[i].codec, *source, store.vectors_[i].size(), store.vectors_[i].data());
      store.bytes_ += store.vectors_[i].size() * sizeof(float);
    }
    if (!use.matrix[i] && !use.looked_up[i]) continue;
    store.matrices_[i] = shaped(weights[i], kernels);
    store.matrices_[i].source = *source;
    if (use.matrix[i] && kind_for(*weights[i].codec)) {
      packed_bytes += store.matrices_[i].shape.bytes();
    } else {
      store.bytes_ += weights[i].codec->row_bytes(static_cast<std::size_t>(store.matrices_[i].inputs)) *
                      static_cast<std::size_t>(store.matrices_[i].outputs);
    }
  }
  auto region = Region::open(packed_bytes, true);
  if (!region) return tl::unexpected(region.error());
  store.packed_ = std::move(*region);
  store.bytes_ += packed_bytes;
  std::uint8_t* out = store.packed_.data();
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    if (!use.matrix[i] || !kind_for(*weights[i].codec)) continue;
    Matrix& matrix = store.matrices_[i];
    PackWork work{&matrix, out, pool.workers()};
    pool.start(&pack_share, &work);
    pool.join();
    matrix.packed = out;
    out += matrix.shape.bytes();
    weights[i].bytes->release_source();
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
    if (use.vector[i]) bytes += static_cast<std::size_t>(weight.shape.back()) * sizeof(float);
    if (!use.matrix[i] && !use.looked_up[i]) continue;
    if (use.matrix[i] && kind_for(*weight.codec)) {
      bytes += shaped(weight, kernels).shape.bytes();
    } else {
      bytes += weight.codec->row_bytes(static_cast<std::size_t>(weight.shape[1])) *
               static_cast<std::size_t>(weight.shape[0]);
    }
  }
  return bytes;
}

void WeightStore::row(std::uint32_t weight, int row, float* out) const {
  const Matrix& matrix = matrices_[weight];
  if (matrix.packed != nullptr) return unpack_row(matrix.shape, matrix.packed, row, out);
  const auto columns = static_cast<std::size_t>(matrix.inputs);
  decode_row(*matrix.codec, matrix.source + static_cast<std::size_t>(row) * matrix.codec->row_bytes(columns),
             columns, out);
}

}  // namespace pensieve::hal::cpu
