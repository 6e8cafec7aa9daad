// Checking, streaming and re-layout of weights. File bytes go through two page-locked buffers, so that the
// next part is read from the file while the last one travels.
#include "hal/cuda/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "hal/cuda/buffer.h"

namespace pensieve::hal::cuda {
namespace {

constexpr std::size_t kStagingBytes = std::size_t{32} << 20;

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

Result<const CudaBuffer*> check_weight(const WeightSpec& spec, const Weight& weight) {
  if (weight.codec == nullptr || weight.bytes == nullptr) return refuse(spec, "was not given");
  if (weight.shape != spec.shape) {
    return refuse(spec, fmt::format("has shape [{}], the graph wants [{}]", fmt::join(weight.shape, ", "),
                                    fmt::join(spec.shape, ", ")));
  }
  const auto* buffer = dynamic_cast<const CudaBuffer*>(weight.bytes);
  if (buffer == nullptr) return refuse(spec, "lies in a buffer of another backend");
  const std::int64_t columns = spec.shape.back(), rows = spec.shape.size() == 2 ? spec.shape.front() : 1;
  if (columns % weight.codec->block_elements != 0) {
    return refuse(spec, fmt::format("rows of {} elements are not whole blocks of {} ({})", columns,
                                    weight.codec->block_elements, weight.codec->name));
  }
  const std::size_t needed =
      static_cast<std::size_t>(rows) * weight.codec->row_bytes(static_cast<std::size_t>(columns));
  if (buffer->size() < needed) return refuse(spec, fmt::format("has {} bytes of {}", buffer->size(), needed));
  return buffer;
}

// Brings bytes of a buffer to the device part by part.
class Uploader {
 public:
  explicit Uploader(cudaStream_t stream) : stream_(stream) {}
  ~Uploader() {
    for (cudaEvent_t event : sent_) {
      if (event != nullptr) cudaEventDestroy(event);
    }
  }

  Result<> open() {
    for (int i = 0; i < 2; ++i) {
      auto pinned = PinnedMemory::allocate(kStagingBytes, "loading");
      if (!pinned) return tl::unexpected(pinned.error());
      pinned_[i] = std::move(*pinned);
      if (auto made = check(cudaEventCreateWithFlags(&sent_[i], cudaEventDisableTiming), "make an event");
          !made)
        return made;
    }
    auto staging = DeviceMemory::allocate(kStagingBytes, "loading");
    if (!staging) return tl::unexpected(staging.error());
    staging_ = std::move(*staging);
    return {};
  }

  // Calls take(part on the device, first unit, units) with parts of whole units; `to` is where they go when
  // it is not null, else parts lie in passing memory until the next one.
  template <class Take>
  Result<> stream(const CudaBuffer& buffer, std::size_t unit_bytes, std::size_t units, unsigned char* to,
                  Take take) {
    if (buffer.on_device()) {
      if (to != nullptr)
        return check(
            cudaMemcpyAsync(to, buffer.device(), unit_bytes * units, cudaMemcpyDeviceToDevice, stream_),
            "copy weights");
      take(buffer.device(), std::size_t{0}, units);
      return check(cudaGetLastError(), "lay out weights");
    }
    const std::size_t most = std::max<std::size_t>(1, kStagingBytes / unit_bytes);
    for (std::size_t first = 0; first < units; first += most) {
      const std::size_t count = std::min(most, units - first), bytes = count * unit_bytes;
      if (bytes > kStagingBytes)
        return fail(Error::Code::unsupported, fmt::format("a row of {} bytes is too wide to load", bytes));
      if (auto waited = check(cudaEventSynchronize(sent_[turn_]), "load weights"); !waited) return waited;
      std::memcpy(pinned_[turn_].as(), buffer.host().data() + first * unit_bytes, bytes);
      unsigned char* at = to != nullptr ? to + first * unit_bytes : staging_.as();
      if (auto sent = check(cudaMemcpyAsync(at, pinned_[turn_].as(), bytes, cudaMemcpyHostToDevice, stream_),
                            "load weights");
          !sent)
        return sent;
      cudaEventRecord(sent_[turn_], stream_);
      turn_ ^= 1;
      if (to == nullptr) take(at, first, count);
    }
    return check(cudaGetLastError(), "lay out weights");
  }

  Result<std::vector<unsigned char>> to_host(const CudaBuffer& buffer, std::size_t bytes) {
    std::vector<unsigned char> host(bytes);
    if (!buffer.on_device()) {
      std::memcpy(host.data(), buffer.host().data(), bytes);
      return host;
    }
    if (auto read =
            check(cudaMemcpy(host.data(), buffer.device(), bytes, cudaMemcpyDeviceToHost), "read a weight");
        !read)
      return tl::unexpected(read.error());
    return host;
  }

 private:
  cudaStream_t stream_;
  PinnedMemory pinned_[2];
  cudaEvent_t sent_[2] = {};
  DeviceMemory staging_;
  int turn_ = 0;
};

Result<> fill_matrix(Uploader& uploader, const CudaBuffer& buffer, const Codec& codec, const Matrix& m,
                     unsigned char* to, cudaStream_t stream) {
  const auto rows = static_cast<std::size_t>(m.rows);
  const std::size_t row_bytes = codec.row_bytes(static_cast<std::size_t>(m.columns));
  if (m.stored == Stored::q4_k || m.stored == Stored::blocks ||
      (is_plain(m.stored) && m.row_bytes == row_bytes))
    return uploader.stream(buffer, row_bytes, rows, to,
                           [](const unsigned char*, std::size_t, std::size_t) {});
  if (is_plain(m.stored)) {
    cudaMemsetAsync(to, 0, rows * m.row_bytes, stream);
    return uploader.stream(buffer, row_bytes, rows, nullptr,
                           [&](const unsigned char* part, std::size_t first, std::size_t count) {
                             cudaMemcpy2DAsync(to + first * m.row_bytes, m.row_bytes, part, row_bytes,
                                               row_bytes, count, cudaMemcpyDeviceToDevice, stream);
                           });
  }
  return uploader.stream(buffer, row_bytes, rows, nullptr,
                         [&](const unsigned char* part, std::size_t first, std::size_t count) {
                           split_rows(part, count, m, first, stream);
                         });
}

}  // namespace

Stored stored_as(const Codec& codec) {
  if (codec.name == "f32") return Stored::f32;
  if (codec.name == "f16") return Stored::f16;
  if (codec.name == "bf16") return Stored::bf16;
  if (codec.name == "q8_0") return Stored::q8_0;
  if (codec.name == "q4_0") return Stored::q4_0;
  if (codec.name == "q4_1") return Stored::q4_1;
  if (codec.name == "q4_k") return Stored::q4_k;
  if (codec.name == "q6_k") return Stored::q6_k;
  return Stored::blocks;
}

Matrix laid_out(const Codec& codec, std::int64_t rows, std::int64_t columns) {
  Matrix m;
  m.stored = stored_as(codec);
  m.type = codec.ggml_type;
  m.rows = static_cast<int>(rows);
  m.columns = static_cast<int>(columns);
  m.stride = plain_stride(columns);
  m.block_elements = static_cast<int>(codec.block_elements);
  m.block_bytes = static_cast<int>(codec.block_bytes);
  if (m.stored == Stored::blocks) {
    m.row_bytes = codec.row_bytes(static_cast<std::size_t>(columns));
    return m;
  }
  const int width = is_plain(m.stored) ? m.stride : m.columns, each = segment_columns_of(m.stored);
  m.segment_bytes = segment_bytes_of(m.stored, each);
  m.row_bytes = static_cast<std::size_t>(width / each) * static_cast<std::size_t>(m.segment_bytes) +
                static_cast<std::size_t>(segment_bytes_of(m.stored, width % each));
  return m;
}

Result<DeviceWeights> DeviceWeights::load(const Segment& segment, std::span<const Weight> weights,
                                          cudaStream_t stream) {
  const std::vector<WeightSpec>& specs = segment.graph->weights;
  if (weights.size() != specs.size())
    return fail(Error::Code::invalid,
                fmt::format("{} weights for a graph of {}", weights.size(), specs.size()));
  const std::vector<bool> used = used_by(segment);
  DeviceWeights loaded;
  loaded.matrices_.resize(specs.size());
  loaded.vectors_.resize(specs.size(), nullptr);
  loaded.host_vectors_.resize(specs.size());
  Uploader uploader(stream);
  if (auto opened = uploader.open(); !opened) return tl::unexpected(opened.error());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!used[i]) continue;
    auto buffer = check_weight(specs[i], weights[i]);
    if (!buffer) return tl::unexpected(buffer.error());
    const Codec& codec = *weights[i].codec;
    const std::int64_t columns = specs[i].shape.back();
    const bool is_vector = specs[i].shape.size() == 1;
    Matrix m = is_vector ? Matrix{} : laid_out(codec, specs[i].shape.front(), columns);
    const std::size_t held = is_vector ? static_cast<std::size_t>(columns) * sizeof(float)
                                       : static_cast<std::size_t>(m.rows) * m.row_bytes;
    auto memory = DeviceMemory::allocate(held, "weight " + specs[i].name);
    if (!memory) return tl::unexpected(memory.error());
    loaded.bytes_ += held;
    if (is_vector) {
      auto bytes = uploader.to_host(**buffer, codec.row_bytes(static_cast<std::size_t>(columns)));
      if (!bytes) return tl::unexpected(bytes.error());
      std::vector<float>& host = loaded.host_vectors_[i];
      host.resize(static_cast<std::size_t>(columns));
      decode_row(codec, bytes->data(), host.size(), host.data());
      if (auto sent =
              check(cudaMemcpy(memory->as(), host.data(), held, cudaMemcpyHostToDevice), "load weights");
          !sent)
        return tl::unexpected(sent.error());
      loaded.vectors_[i] = memory->as<float>();
    } else {
      m.quants = memory->as();
      loaded.matrices_[i] = m;
      if (auto filled = fill_matrix(uploader, **buffer, codec, m, memory->as(), stream); !filled)
        return tl::unexpected(filled.error());
    }
    loaded.memory_.push_back(std::move(*memory));
    if (!(*buffer)->on_device()) weights[i].bytes->release_source();
  }
  if (auto done = check(cudaStreamSynchronize(stream), "load weights"); !done)
    return tl::unexpected(done.error());
  return loaded;
}

std::size_t DeviceWeights::bytes_for(const Segment& segment, std::span<const Weight> weights) {
  const std::vector<bool> used = used_by(segment);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < std::min(weights.size(), used.size()); ++i) {
    const WeightSpec& spec = segment.graph->weights[i];
    if (!used[i] || weights[i].codec == nullptr) continue;
    bytes += spec.shape.size() == 1 ? static_cast<std::size_t>(spec.shape[0]) * sizeof(float)
                                    : static_cast<std::size_t>(spec.shape.front()) *
                                          laid_out(*weights[i].codec, 1, spec.shape.back()).row_bytes;
  }
  return bytes;
}

}  // namespace pensieve::hal::cuda
