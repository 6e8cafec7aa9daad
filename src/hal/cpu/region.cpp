// Region over mmap.
#include "hal/cpu/region.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace pensieve::hal::cpu {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;
}

Result<Region> Region::open(std::size_t bytes, bool huge) {
  Region region;
  if (bytes == 0) return region;
  const std::size_t size = bytes + kHugePage;
  void* mapped = size > bytes ? mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                              : MAP_FAILED;
  if (mapped == MAP_FAILED) {
    return fail(
        Error::Code::exhausted,
        fmt::format("cannot reserve {} MiB of memory: {}; use a smaller context or fewer parallel sequences",
                    bytes >> 20, std::strerror(errno)));
  }
  region.mapped_ = mapped;
  region.mapped_size_ = size;
  const auto start = (reinterpret_cast<std::uintptr_t>(mapped) + kHugePage - 1) / kHugePage * kHugePage;
  region.data_ = reinterpret_cast<std::uint8_t*>(start);
  region.size_ = bytes;
#if defined(MADV_HUGEPAGE)
  if (huge) madvise(region.data_, bytes, MADV_HUGEPAGE);  // a hint: refusal changes nothing but speed
#endif
  return region;
}

Region::Region(Region&& other) noexcept {
  *this = std::move(other);
}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  std::swap(mapped_size_, other.mapped_size_);
  return *this;
}

Region::~Region() {
  if (mapped_ != nullptr) munmap(mapped_, mapped_size_);
}

}  // namespace pensieve::hal::cpu
