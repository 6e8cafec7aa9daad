// Region: address space that takes memory only where it is touched, zero at first. Freed as a whole.
// Not an allocator: offsets are planned by whoever opens it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/result.h"

namespace pensieve::hal::cpu {

class Region {
 public:
  // `huge`: asks for large pages, for memory that will be used as a whole.
  static Result<Region> open(std::size_t bytes, bool huge);
  Region() = default;
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  std::uint8_t* data() const { return data_; }  // aligned to 2 MiB
  std::size_t size() const { return size_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  void* mapped_ = nullptr;
  std::size_t mapped_size_ = 0;
};

}  // namespace pensieve::hal::cpu
