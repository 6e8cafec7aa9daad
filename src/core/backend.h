// Backend and Plan: where a graph runs. One Backend per physical device, one folder hal/NAME per device kind;
// a Plan is a segment of a graph compiled once and run every step. Fusion, layout and repacking are private
// to compile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/codec.h"
#include "core/graph.h"
#include "core/result.h"

namespace pensieve {

// Bytes on a device. May alias mapped file bytes (Backend::adopt).
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual std::size_t size() const = 0;
  // The content was copied elsewhere (repacked) and will not be read soon: memory behind it may be given
  // back.
  virtual void release_source() = 0;
};

struct Weight {
  const Codec* codec = nullptr;
  std::vector<std::int64_t> shape;  // outermost first, as in WeightSpec
  Buffer* bytes = nullptr;          // whole tensor, in the file's layout; null when it comes in parts
  std::vector<Buffer*> parts;  // one for each entry of the outermost dimension (experts stored one by one)
};

// A run of neighbouring nodes. A cut may cross several live values, so inputs and outputs are lists.
struct Segment {
  const Graph* graph = nullptr;
  std::uint32_t first_node = 0, end_node = 0;  // [first, end)
  std::vector<std::uint32_t> inputs, outputs;  // values that enter and leave, in order
  static Segment whole(const Graph& graph) {
    return {&graph, 0, static_cast<std::uint32_t>(graph.nodes.size()), {}, {}};
  }
};

struct PlanOptions {
  std::int32_t page_tokens = 16;  // tokens in a page of state
  std::int32_t page_count = 0;    // pages that the engine may hand out, in each group; memory grows with use
  std::int32_t slot_count = 0;    // recurrent slots
  std::int32_t max_rows = 0;      // largest batch, in rows
  std::int32_t max_sequences = 0;
  const Codec* kv_codec = nullptr;  // how keys and values are kept
};

struct MemoryEstimate {  // bytes
  std::size_t weights = 0, state = 0, scratch = 0;
  std::size_t total() const { return weights + state + scratch; }
};

struct StateCopy {  // for forks: page (or recurrent slot) `from` becomes the content of `to`
  std::uint32_t group = 0;  // Graph::slot_group() for slots
  std::int32_t from = 0, to = 0;
};

// Thread rule: one thread at a time; submit and wait alternate (at most one step in flight).
class Plan {
 public:
  virtual ~Plan() = default;
  // Starts a step. `inputs` and `outputs` hold the segment's live values, empty for a whole graph.
  virtual Result<> submit(const Batch& batch, std::span<Buffer* const> inputs,
                          std::span<Buffer* const> outputs) = 0;
  virtual Result<StepOutput> wait() = 0;

  // State is handled by page number, recurrent state by slot (Graph::slot_group); `copies` happen before
  // anything submitted later.
  virtual Result<> copy_state(std::span<const StateCopy> copies) = 0;
  virtual std::size_t page_bytes(std::uint32_t group) const = 0;
  virtual Result<> save_page(std::uint32_t group, std::int32_t page, std::span<std::byte> out) = 0;
  virtual Result<> restore_page(std::uint32_t group, std::int32_t page, std::span<const std::byte> in) = 0;

  virtual MemoryEstimate memory() const = 0;  // what this plan holds now
};

struct DeviceInfo {
  std::string name;
  std::size_t memory_total = 0, memory_free = 0;  // bytes
  bool unified = false;                           // host memory is device memory
  bool draws_tokens = false;                      // StepOutput::tokens is filled
  std::string kernels;                            // instruction set or compute capability in use
};

enum class Memory : std::uint8_t { weights, state, scratch, host_visible };

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const DeviceInfo& info() const = 0;
  // Whether `node` runs here with its first weight stored in `codec` (null when the op has no weight).
  virtual bool supports(const Graph& graph, const Node& node, const Codec* codec) const = 0;

  virtual Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, Memory kind) = 0;
  // Makes mapped bytes available without copying where the device can; they must outlive the buffer.
  virtual Result<std::unique_ptr<Buffer>> adopt(std::span<const std::byte> bytes) = 0;
  virtual Result<> write(Buffer& buffer, std::size_t at, std::span<const std::byte> bytes) = 0;
  virtual Result<> read(const Buffer& buffer, std::size_t at, std::span<std::byte> bytes) = 0;

  virtual MemoryEstimate estimate(const Segment& segment, std::span<const Weight> weights,
                                  const PlanOptions& options) const = 0;
  // `weights` are those of the whole graph, by index; only the segment's are used. They must outlive the
  // plan.
  virtual Result<std::unique_ptr<Plan>> compile(const Segment& segment, std::span<const Weight> weights,
                                                const PlanOptions& options) = 0;
};

struct BackendOptions {
  std::int32_t threads = 0;  // 0: physical cores
  std::string isa;           // forces an instruction set ("avx2"); empty: the best this machine has
};

// One per folder hal/NAME, found through the generated table.
struct BackendFactory {
  std::string_view name;
  int preference;  // `auto` takes the available one with the highest; negative: only when asked for by name
  // Devices of this kind; an error says honestly why there are none ("no NVIDIA driver found").
  Result<std::vector<DeviceInfo>> (*probe)();
  Result<std::unique_ptr<Backend>> (*open)(const BackendOptions& options);
};

}  // namespace pensieve
