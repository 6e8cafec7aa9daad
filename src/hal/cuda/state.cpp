// The plan's pages of keys and values by number, and what it holds. A page's bytes are, layer by layer of its
// group, its keys and its values.
#include <fmt/format.h>

#include "hal/batch_check.h"
#include "hal/cuda/plan.h"

namespace pensieve::hal::cuda {

Result<> CudaPlan::check_page(std::uint32_t group, std::int32_t page) const {
  if (in_flight_) return fail(Error::Code::internal, "state cannot be handled while a step is in flight");
  if (group >= graph_.state_groups || windows_[group] == kKeepsNoState)
    return fail(Error::Code::invalid, fmt::format("this plan keeps no state of group {}", group));
  if (page >= 0 && page < options_.page_count) return {};
  return fail(Error::Code::invalid,
              fmt::format("page {} of group {}, but there are {} pages", page, group, options_.page_count));
}

std::vector<CudaPlan::PagePart> CudaPlan::page_parts(std::uint32_t group, std::int32_t page) const {
  std::vector<PagePart> parts;
  for (const State& state : states_) {
    if (state.kv.keys == nullptr || state.group != group) continue;
    const auto at = static_cast<std::size_t>(page);
    parts.push_back({state.kv.keys + at * state.key_page_bytes, state.key_page_bytes});
    parts.push_back({state.kv.values + at * state.value_page_bytes, state.value_page_bytes});
  }
  return parts;
}

Result<> CudaPlan::copy_state(std::span<const StateCopy> copies) {
  if (auto chosen = check(cudaSetDevice(device_), "be chosen"); !chosen) return chosen;
  for (const StateCopy& copy : copies) {
    for (const std::int32_t page : {copy.from, copy.to}) {
      if (auto checked = check_page(copy.group, page); !checked) return checked;
    }
    if (copy.from == copy.to) continue;
    const std::vector<PagePart> from = page_parts(copy.group, copy.from),
                                to = page_parts(copy.group, copy.to);
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (auto sent =
              check(cudaMemcpyAsync(to[i].at, from[i].at, from[i].bytes, cudaMemcpyDeviceToDevice, stream_),
                    "copy a page");
          !sent)
        return sent;
    }
  }
  return {};
}

std::size_t CudaPlan::page_bytes(std::uint32_t group) const {
  std::size_t bytes = 0;
  for (const State& state : states_) {
    if (state.kv.keys != nullptr && state.group == group)
      bytes += state.key_page_bytes + state.value_page_bytes;
  }
  return bytes;
}

Result<> CudaPlan::save_page(std::uint32_t group, std::int32_t page, std::span<std::byte> out) {
  if (auto checked = check_page(group, page); !checked) return checked;
  if (out.size() != page_bytes(group))
    return fail(Error::Code::invalid,
                fmt::format("{} bytes for a page of {}", out.size(), page_bytes(group)));
  cudaSetDevice(device_);
  std::size_t at = 0;
  for (const PagePart& part : page_parts(group, page)) {
    if (auto sent =
            check(cudaMemcpyAsync(out.data() + at, part.at, part.bytes, cudaMemcpyDeviceToHost, stream_),
                  "save a page");
        !sent)
      return sent;
    at += part.bytes;
  }
  return check(cudaStreamSynchronize(stream_), "save a page");
}

Result<> CudaPlan::restore_page(std::uint32_t group, std::int32_t page, std::span<const std::byte> in) {
  if (auto checked = check_page(group, page); !checked) return checked;
  if (in.size() != page_bytes(group))
    return fail(Error::Code::invalid, fmt::format("{} bytes for a page of {}", in.size(), page_bytes(group)));
  cudaSetDevice(device_);
  std::size_t at = 0;
  for (const PagePart& part : page_parts(group, page)) {
    if (auto sent =
            check(cudaMemcpyAsync(part.at, in.data() + at, part.bytes, cudaMemcpyHostToDevice, stream_),
                  "restore a page");
        !sent)
      return sent;
    at += part.bytes;
  }
  return check(cudaStreamSynchronize(stream_), "restore a page");
}

MemoryEstimate CudaPlan::memory() const {
  MemoryEstimate held{weights_.bytes(), 0, 0};
  for (const State& state : states_) held.state += state.memory.size();
  for (const Slot& slot : slots_) held.scratch += slot.memory.size();
  for (const DeviceMemory* memory : {&plain_input_, &bfloat_input_, &second_, &partials_, &decoded_,
                                     &arrivals_, &best_, &output_positions_, &index_memory_}) {
    held.scratch += memory->size();
  }
  for (const Rope& rope : ropes_) held.scratch += rope.turns.size() + rope.output_turns.size();
  return held;
}

}  // namespace pensieve::hal::cuda
