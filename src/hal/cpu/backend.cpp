// The cpu backend: this machine's processor, with kernels for the best instruction set that it has.
// Not the oracle (hal/reference): quantized weights meet activations of 8 bits here.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hal/cpu/buffer.h"
#include "hal/cpu/dispatch.h"
#include "hal/cpu/plan.h"
#include "hal/detect/instruction_sets.h"
#include "hal/detect/memory.h"
#include "hal/detect/topology.h"

namespace pensieve::hal::cpu {
namespace {

DeviceInfo describe(const std::string& kernels) {
  DeviceInfo info;
  info.name = detect_cpu_name();
  if (info.name.empty()) info.name = "cpu";
  const MemoryFacts memory = detect_memory();
  info.memory_total = memory.limit > 0 ? memory.limit : memory.total;
  info.memory_free = memory.available;
  info.unified = true;
  info.kernels = kernels;
  return info;
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, int threads)
      : kernels_(kernels), threads_(threads), info_(describe(kernels.name)) {}

  const DeviceInfo& info() const override { return info_; }

  bool supports(const Graph& graph, const Node& node, const Codec*) const override {
    if (node.op() != Op::attention) return true;
    return node.state >= 0 && static_cast<std::size_t>(node.state) < graph.states.size() &&
           graph.states[static_cast<std::size_t>(node.state)].kind == StateSpec::Kind::paged_kv;
  }

  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, Memory) override {
    auto region = Region::open(bytes, false);
    if (!region) return tl::unexpected(region.error());
    return std::make_unique<HostBuffer>(std::move(*region));
  }
  Result<std::unique_ptr<Buffer>> adopt(std::span<const std::byte> bytes) override {
    return std::make_unique<HostBuffer>(bytes);
  }
  Result<> write(Buffer& buffer, std::size_t at, std::span<const std::byte> bytes) override {
    auto* host = dynamic_cast<HostBuffer*>(&buffer);
    if (auto checked = check(host, at, bytes.size()); !checked) return checked;
    if (bytes.empty()) return {};
    if (host->writable() == nullptr)
      return fail(Error::Code::invalid, "a buffer of adopted bytes is read-only");
    std::memcpy(host->writable() + at, bytes.data(), bytes.size());
    return {};
  }
  Result<> read(const Buffer& buffer, std::size_t at, std::span<std::byte> bytes) override {
    const auto* host = dynamic_cast<const HostBuffer*>(&buffer);
    if (auto checked = check(host, at, bytes.size()); !checked) return checked;
    if (!bytes.empty()) std::memcpy(bytes.data(), host->data() + at, bytes.size());
    return {};
  }

  MemoryEstimate estimate(const Segment& segment, std::span<const Weight> weights,
                          const PlanOptions& options) const override {
    return CpuPlan::estimate(kernels_, threads_, segment, weights, options).value_or(MemoryEstimate{});
  }
  Result<std::unique_ptr<Plan>> compile(const Segment& segment, std::span<const Weight> weights,
                                        const PlanOptions& options) override {
    return CpuPlan::compile(kernels_, threads_, segment, weights, options);
  }

 private:
  static Result<> check(const HostBuffer* host, std::size_t at, std::size_t bytes) {
    if (host == nullptr) return fail(Error::Code::invalid, "the buffer belongs to another backend");
    if (at > host->size() || bytes > host->size() - at) {
      return fail(Error::Code::invalid,
                  fmt::format("{} bytes at {} of a buffer of {}", bytes, at, host->size()));
    }
    return {};
  }

  Kernels kernels_;
  int threads_;
  DeviceInfo info_;
};

Result<std::vector<DeviceInfo>> probe() {
  const auto kernels = select_kernels("");
  if (!kernels) return tl::unexpected(kernels.error());
  return std::vector{describe(kernels->name)};
}

Result<std::unique_ptr<Backend>> open(const BackendOptions& options) {
  const auto kernels = select_kernels(options.isa);
  if (!kernels) return tl::unexpected(kernels.error());
  if (options.threads < 0) {
    return fail(Error::Code::invalid,
                fmt::format("{} threads asked for; 0 means one for each physical core", options.threads),
                "threads");
  }
  int threads = options.threads;
  if (threads == 0) threads = std::max(detect_topology().bound_cores, 1);
  return std::make_unique<CpuBackend>(*kernels, threads);
}

}  // namespace
}  // namespace pensieve::hal::cpu

namespace pensieve::hal {
extern const BackendFactory backend_cpu;
const BackendFactory backend_cpu{"cpu", 10, &cpu::probe, &cpu::open};
}  // namespace pensieve::hal
