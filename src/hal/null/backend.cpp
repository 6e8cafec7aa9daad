// The null backend: buffers with a size and no memory, plans that read the batch and compute nothing.
// Not an oracle: hal/reference computes.
#include "hal/null/backend.h"

#include <algorithm>
#include <utility>

#include "hal/null/plan.h"

namespace pensieve::hal {
namespace {

class NullBuffer final : public Buffer {
 public:
  explicit NullBuffer(std::size_t size) : size_(size) {}
  std::size_t size() const override { return size_; }
  void release_source() override {}

 private:
  std::size_t size_;
};

Result<> check_range(const Buffer& buffer, std::size_t at, std::size_t size) {
  if (at <= buffer.size() && size <= buffer.size() - at) return {};
  return fail(Error::Code::internal, "bytes outside a buffer of the null backend");
}

// Thread rule: any thread; nothing changes after construction.
class NullBackend final : public Backend {
 public:
  explicit NullBackend(NullScript script) : script_(std::move(script)) {
    info_.name = "null (scripted tokens, computes nothing)";
    info_.unified = true;
    info_.draws_tokens = script_.draws_tokens;
    info_.kernels = "none";
  }

  const DeviceInfo& info() const override { return info_; }
  bool supports(const Graph&, const Node&, const Codec*) const override { return true; }

  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, Memory) override {
    return std::make_unique<NullBuffer>(bytes);
  }
  Result<std::unique_ptr<Buffer>> adopt(std::span<const std::byte> bytes) override {
    return std::make_unique<NullBuffer>(bytes.size());
  }
  Result<> write(Buffer& buffer, std::size_t at, std::span<const std::byte> bytes) override {
    return check_range(buffer, at, bytes.size());
  }
  Result<> read(const Buffer& buffer, std::size_t at, std::span<std::byte> bytes) override {
    if (auto checked = check_range(buffer, at, bytes.size()); !checked) return checked;
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    return {};
  }

  MemoryEstimate estimate(const Segment&, std::span<const Weight>, const PlanOptions&) const override {
    return {};
  }
  Result<std::unique_ptr<Plan>> compile(const Segment& segment, std::span<const Weight>,
                                        const PlanOptions&) override {
    return make_null_plan(script_, segment.graph->vocabulary);
  }

 private:
  NullScript script_;
  DeviceInfo info_;
};

Result<std::vector<DeviceInfo>> probe() {
  return std::vector{make_null_backend({default_null_token})->info()};
}
Result<std::unique_ptr<Backend>> open(const BackendOptions&) {
  return make_null_backend({default_null_token});
}

}  // namespace

std::int32_t default_null_token(std::int32_t, std::int32_t position, std::int64_t vocabulary) {
  const std::int64_t span = std::max<std::int64_t>(vocabulary / 2, 1);
  return static_cast<std::int32_t>(vocabulary / 4 + (std::int64_t{position} * 7 + 13) % span);
}

std::unique_ptr<Backend> make_null_backend(NullScript script) {
  return std::make_unique<NullBackend>(std::move(script));
}

extern const BackendFactory backend_null;
const BackendFactory backend_null{"null", -1, &probe, &open};

}  // namespace pensieve::hal
