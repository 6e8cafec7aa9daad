// The `cuda` device: NVIDIA GPUs from compute capability 8.0 on. Mapped weights stay on the host until a plan
// lays them out. Not for several GPUs at once: one backend uses one, the first usable that
// CUDA_VISIBLE_DEVICES leaves.
#include "core/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hal/backends.h"
#include "hal/cuda/buffer.h"
#include "hal/cuda/plan.h"
#include "hal/plain_ops.h"

namespace pensieve::hal {
namespace cuda {
namespace {

constexpr std::array<std::string_view, 16> kCodecs{"f32",  "f16",    "bf16",   "q8_0", "q4_0", "q4_1",
                                                   "q4_k", "q6_k",   "q5_0",   "q5_1", "q5_k", "q2_k",
                                                   "q3_k", "iq4_nl", "iq4_xs", "mxfp4"};
constexpr std::int64_t kWidestHead = 512;

Result<> check_range(std::size_t size, std::size_t at, std::size_t count) {
  if (at <= size && count <= size - at) return {};
  return fail(Error::Code::invalid, fmt::format("{} bytes at {} of a buffer of {}", count, at, size));
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(DeviceInfo info, int device) : info_(std::move(info)), device_(device) {}

  const DeviceInfo& info() const override { return info_; }

  bool supports(const Graph& graph, const Node& node, const Codec* codec) const override {
    if (!node.weights.empty() &&
        (codec == nullptr || std::find(kCodecs.begin(), kCodecs.end(), codec->name) == kCodecs.end()))
      return false;
    if (!beyond_plain(graph, node).empty()) return false;
    if (node.op() != Op::attention) return true;
    const auto& params = std::get<AttentionParams>(node.params);
    return node.state >= 0 &&
           graph.states[static_cast<std::size_t>(node.state)].kind == StateSpec::Kind::paged_kv &&
           params.key_width <= kWidestHead && params.value_width <= kWidestHead;
  }

  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, Memory) override {
    if (auto chosen = choose(); !chosen) return tl::unexpected(chosen.error());
    auto memory = DeviceMemory::allocate(bytes, "a buffer");
    if (!memory) return tl::unexpected(memory.error());
    return std::make_unique<CudaBuffer>(std::move(*memory));
  }

  Result<std::unique_ptr<Buffer>> adopt(std::span<const std::byte> bytes) override {
    return std::make_unique<CudaBuffer>(bytes);
  }

  Result<> write(Buffer& buffer, std::size_t at, std::span<const std::byte> bytes) override {
    auto* held = dynamic_cast<CudaBuffer*>(&buffer);
    if (held == nullptr || !held->on_device())
      return fail(Error::Code::invalid, "the buffer is no memory of this GPU");
    if (auto checked = check_range(held->size(), at, bytes.size()); !checked) return checked;
    if (auto chosen = choose(); !chosen) return chosen;
    if (bytes.empty()) return {};
    return check(cudaMemcpy(held->device() + at, bytes.data(), bytes.size(), cudaMemcpyHostToDevice),
                 "take bytes");
  }

  Result<> read(const Buffer& buffer, std::size_t at, std::span<std::byte> bytes) override {
    const auto* held = dynamic_cast<const CudaBuffer*>(&buffer);
    if (held == nullptr) return fail(Error::Code::invalid, "the buffer belongs to another backend");
    if (auto checked = check_range(held->size(), at, bytes.size()); !checked) return checked;
    if (bytes.empty()) return {};
    if (!held->on_device()) {
      std::copy_n(held->host().begin() + static_cast<std::ptrdiff_t>(at), bytes.size(), bytes.begin());
      return {};
    }
    if (auto chosen = choose(); !chosen) return chosen;
    return check(cudaMemcpy(bytes.data(), held->device() + at, bytes.size(), cudaMemcpyDeviceToHost),
                 "give bytes");
  }

  MemoryEstimate estimate(const Segment& segment, std::span<const Weight> weights,
                          const PlanOptions& options) const override {
    return CudaPlan::estimate(segment, weights, options).value_or(MemoryEstimate{});
  }

  Result<std::unique_ptr<Plan>> compile(const Segment& segment, std::span<const Weight> weights,
                                        const PlanOptions& options) override {
    return CudaPlan::compile(device_, segment, weights, options);
  }

 private:
  Result<> choose() const { return check(cudaSetDevice(device_), "be chosen"); }

  DeviceInfo info_;
  int device_;
};

Result<std::vector<DeviceInfo>> probe() {
  return find_devices();
}

Result<std::unique_ptr<Backend>> open(const BackendOptions& options) {
  if (!options.isa.empty()) {
    return fail(Error::Code::unsupported,
                fmt::format("the cuda backend has no {} kernels: leave isa empty, or choose the cpu backend",
                            options.isa));
  }
  auto devices = find_devices();
  if (!devices) return tl::unexpected(devices.error());
  int count = 0;
  cudaGetDeviceCount(&count);
  for (int device = 0; device < count; ++device) {
    int major = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    if (major * 10 < kLeastCapability) continue;
    if (auto chosen = check(cudaSetDevice(device), "be chosen"); !chosen)
      return tl::unexpected(chosen.error());
    DeviceInfo info = devices->front();
    cudaMemGetInfo(&info.memory_free, &info.memory_total);
    return std::make_unique<CudaBackend>(std::move(info), device);
  }
  return fail(Error::Code::unavailable, "no NVIDIA GPU answers");
}

}  // namespace
}  // namespace cuda

extern const BackendFactory backend_cuda;
const BackendFactory backend_cuda{"cuda", 20, &cuda::probe, &cuda::open};

}  // namespace pensieve::hal
