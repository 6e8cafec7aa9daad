// Anonymous pages, outside the heap, so that they can be given back one by one (release_mapped).
#include "util/reserved_memory.h"

#include <sys/mman.h>

#include <string>
#include <utility>

namespace pensieve::util {

Result<ReservedMemory> ReservedMemory::reserve(std::size_t bytes) {
  if (bytes == 0) return ReservedMemory();
  void* data =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return fail(Error::Code::exhausted, "no room for " + std::to_string(bytes) + " bytes of memory");
  return ReservedMemory(static_cast<std::byte*>(data), bytes);
}

ReservedMemory::ReservedMemory(ReservedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

ReservedMemory& ReservedMemory::operator=(ReservedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace pensieve::util
