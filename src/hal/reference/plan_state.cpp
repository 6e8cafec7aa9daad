// ReferencePlan's state by page number: copy, save, restore; and what a plan holds or would hold.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "hal/reference/plan.h"

namespace pensieve::hal::reference {

Result<> ReferencePlan::check_page(std::uint32_t group, std::int32_t page) const {
  if (group < pages_.size() && page >= 0 && page < pages_[group].page_count()) return {};
  return fail(Error::Code::invalid, fmt::format("page {} of group {}: there are {} groups with {} pages each",
                                                page, group, pages_.size(), options_.page_count));
}

Result<> ReferencePlan::copy_state(std::span<const StateCopy> copies) {
  for (const StateCopy& copy : copies) {
    if (slots_.used() && copy.group == graph_.slot_group()) {
      if (auto copied = slots_.copy(copy.from, copy.to); !copied) return copied;
      continue;
    }
    if (auto checked = check_page(copy.group, copy.from); !checked) return checked;
    if (auto checked = check_page(copy.group, copy.to); !checked) return checked;
    KvPages& pages = pages_[copy.group];
    if (pages.page_bytes() == 0 || copy.from == copy.to) continue;
    if (!pages.written(copy.from)) {
      return fail(
          Error::Code::invalid,
          fmt::format("page {} of group {} cannot be copied: it was never written", copy.from, copy.group));
    }
    unsigned char* to = pages.make(copy.to);
    if (to == nullptr) return fail(Error::Code::exhausted, "no memory for another page of keys and values");
    std::memcpy(to, pages.bytes(copy.from).data(), pages.page_bytes());
  }
  return {};
}

std::size_t ReferencePlan::page_bytes(std::uint32_t group) const {
  if (group == graph_.slot_group()) return slots_.slot_bytes();
  return group < pages_.size() ? pages_[group].page_bytes() : 0;
}

Result<> ReferencePlan::save_page(std::uint32_t group, std::int32_t page, std::span<std::byte> out) {
  if (slots_.used() && group == graph_.slot_group()) return slots_.save(page, out);
  if (auto checked = check_page(group, page); !checked) return checked;
  const KvPages& pages = pages_[group];
  if (out.size() != pages.page_bytes()) {
    return fail(Error::Code::invalid, fmt::format("a page of group {} has {} bytes, not {}", group,
                                                  pages.page_bytes(), out.size()));
  }
  if (out.empty()) return {};
  if (!pages.written(page)) {
    return fail(Error::Code::invalid,
                fmt::format("page {} of group {} cannot be saved: it was never written", page, group));
  }
  std::memcpy(out.data(), pages.bytes(page).data(), out.size());
  return {};
}

Result<> ReferencePlan::restore_page(std::uint32_t group, std::int32_t page, std::span<const std::byte> in) {
  if (slots_.used() && group == graph_.slot_group()) return slots_.restore(page, in);
  if (auto checked = check_page(group, page); !checked) return checked;
  KvPages& pages = pages_[group];
  if (in.size() != pages.page_bytes()) {
    return fail(Error::Code::invalid,
                fmt::format("a page of group {} has {} bytes, not {}", group, pages.page_bytes(), in.size()));
  }
  if (in.empty()) return {};
  unsigned char* to = pages.make(page);
  if (to == nullptr) return fail(Error::Code::exhausted, "no memory for another page of keys and values");
  std::memcpy(to, in.data(), in.size());
  return {};
}

MemoryEstimate ReferencePlan::memory() const {
  MemoryEstimate held{weights_.bytes_decoded(), slots_.bytes_touched(), values_.bytes_held()};
  for (const KvPages& pages : pages_) held.state += pages.bytes_held();
  return held;
}

Result<MemoryEstimate> ReferencePlan::estimate(const Segment& segment, std::span<const Weight> weights,
                                               const PlanOptions& options) {
  auto values = Activations::plan(segment);
  if (!values) return tl::unexpected(values.error());
  ReferencePlan plan(segment, options, 1);
  if (auto opened = plan.open_state(); !opened) return tl::unexpected(opened.error());
  MemoryEstimate needed{Weights::bytes_stored(segment, weights), SlotStore::bytes_of(segment, options), 0};
  const auto rows = static_cast<std::size_t>(std::max(options.max_rows, 0));
  needed.scratch =
      values->bytes_for(rows, std::min(rows, static_cast<std::size_t>(std::max(options.max_sequences, 0))));
  for (const KvPages& pages : plan.pages_) {
    needed.state += pages.page_bytes() * static_cast<std::size_t>(pages.page_count());
  }
  return needed;
}

}  // namespace pensieve::hal::reference
