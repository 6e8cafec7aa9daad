// The `reference` device: every op in obvious C++ on the host, the oracle that other backends are tested
// against and the fallback for what they cannot do. Not fast; never chosen by `auto`.
#include "core/backend.h"

#include <fmt/format.h>

#include <cstring>
#include <new>

#include "hal/backends.h"
#include "hal/detect/machine.h"
#include "hal/reference/buffer.h"
#include "hal/reference/plan.h"

namespace pensieve::hal {
namespace reference {
namespace {

DeviceInfo describe() {
  const MemoryFacts memory = detect_memory();
  DeviceInfo info;
  info.name = "reference";
  info.memory_total = memory.limit != 0 ? memory.limit : memory.total;
  info.memory_free = memory.available;
  info.unified = true;
  info.kernels = "scalar";
  return info;
}

Result<> check_range(std::size_t size, std::size_t at, std::size_t count) {
  if (at <= size && count <= size - at) return {};
  return fail(Error::Code::invalid, fmt::format("{} bytes at {} of a buffer of {}", count, at, size));
}

class ReferenceBackend final : public Backend {
 public:
  explicit ReferenceBackend(std::int32_t threads) : info_(describe()), threads_(threads) {}

  const DeviceInfo& info() const override { return info_; }

  bool supports(const Graph& graph, const Node& node, const Codec* codec) const override {
    if (!node.weights.empty() && codec == nullptr) return false;
    return node.op() != Op::attention ||
           (node.state >= 0 &&
            graph.states[static_cast<std::size_t>(node.state)].kind == StateSpec::Kind::paged_kv);
  }

  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, Memory) override {
    try {
      return std::make_unique<HostBuffer>(bytes);
    } catch (const std::exception&) {  // bad_alloc, or length_error beyond any vector
      return fail(Error::Code::exhausted, fmt::format("no memory for a buffer of {} bytes", bytes));
    }
  }

  Result<std::unique_ptr<Buffer>> adopt(std::span<const std::byte> bytes) override {
    return std::make_unique<HostBuffer>(bytes);
  }

  Result<> write(Buffer& buffer, std::size_t at, std::span<const std::byte> bytes) override {
    auto* host = dynamic_cast<HostBuffer*>(&buffer);
    if (host == nullptr) return fail(Error::Code::invalid, "the buffer belongs to another backend");
    if (auto checked = check_range(host->writable().size(), at, bytes.size()); !checked) return checked;
    if (!bytes.empty()) std::memcpy(host->writable().data() + at, bytes.data(), bytes.size());
    return {};
  }

  Result<> read(const Buffer& buffer, std::size_t at, std::span<std::byte> bytes) override {
    const auto* host = dynamic_cast<const HostBuffer*>(&buffer);
    if (host == nullptr) return fail(Error::Code::invalid, "the buffer belongs to another backend");
    if (auto checked = check_range(host->size(), at, bytes.size()); !checked) return checked;
    if (!bytes.empty()) std::memcpy(bytes.data(), host->bytes().data() + at, bytes.size());
    return {};
  }

  MemoryEstimate estimate(const Segment& segment, std::span<const Weight> weights,
                          const PlanOptions& options) const override {
    return ReferencePlan::estimate(segment, weights, options).value_or(MemoryEstimate{});
  }

  Result<std::unique_ptr<Plan>> compile(const Segment& segment, std::span<const Weight> weights,
                                        const PlanOptions& options) override {
    return ReferencePlan::compile(segment, weights, options, threads_);
  }

 private:
  DeviceInfo info_;
  std::int32_t threads_;
};

Result<std::vector<DeviceInfo>> probe() {
  return std::vector{describe()};
}

Result<std::unique_ptr<Backend>> open(const BackendOptions& options) {
  if (!options.isa.empty() && options.isa != "scalar") {
    return fail(
        Error::Code::unsupported,
        fmt::format("the reference backend has no {} kernels: leave isa empty, or choose the cpu backend",
                    options.isa));
  }
  const std::int32_t threads = options.threads > 0 ? options.threads : detect_processor().usable_cores;
  return std::make_unique<ReferenceBackend>(threads);
}

}  // namespace
}  // namespace reference

extern const BackendFactory backend_reference;
const BackendFactory backend_reference{"reference", -1, &reference::probe, &reference::open};

}  // namespace pensieve::hal
