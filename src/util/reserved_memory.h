// ReservedMemory: room for bytes that are made later: zeros that take no memory until they are written. Not a
// file (mapped_file.h) and not for small things.
#pragma once

#include <cstddef>
#include <span>

#include "util/result.h"

namespace pensieve::util {

// Thread rule: the object is one thread's; its bytes are everybody's.
class ReservedMemory {
 public:
  ReservedMemory() = default;
  // `exhausted` where the machine gives no such room.
  static Result<ReservedMemory> reserve(std::size_t bytes);
  ReservedMemory(ReservedMemory&& other) noexcept;
  ReservedMemory& operator=(ReservedMemory&& other) noexcept;
  ~ReservedMemory();

  std::span<std::byte> bytes() const { return {data_, size_}; }

 private:
  ReservedMemory(std::byte* data, std::size_t size) : data_(data), size_(size) {}
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pensieve::util
