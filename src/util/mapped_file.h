// MappedFile: a regular file mapped read-only into memory.
// Not for growing files: the size is taken once; a file that shrinks underneath is the caller's risk
// (SIGBUS).
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "util/result.h"

namespace pensieve::util {

class MappedFile {
 public:
  // Refuses anything but a regular file, before reading from it (a FIFO or device would block or never end).
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Lets the kernel drop the pages wholly inside `bytes` of a mapping; they are read from the file again on the
// next touch.
void release_mapped(std::span<const std::byte> bytes);

}  // namespace pensieve::util
