// HostBuffer: bytes in main memory, owned or borrowed from a mapping.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/backend.h"
#include "util/mapped_file.h"

namespace pensieve::hal::reference {

class HostBuffer final : public Buffer {
 public:
  explicit HostBuffer(std::size_t size) : owned_(size), bytes_(owned_) {}
  explicit HostBuffer(std::span<const std::byte> adopted) : bytes_(adopted), adopted_(true) {}

  std::size_t size() const override { return bytes_.size(); }
  void release_source() override {
    if (adopted_) util::release_mapped(bytes_);
  }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<std::byte> writable() { return owned_; }  // empty for adopted bytes

 private:
  std::vector<std::byte> owned_;
  std::span<const std::byte> bytes_;
  bool adopted_ = false;
};

}  // namespace pensieve::hal::reference
