// HostBuffer: a cpu Buffer, its own memory or mapped bytes of somebody else's.
#pragma once

#include <span>

#include "core/backend.h"
#include "hal/cpu/region.h"
#include "util/mapped_file.h"

namespace pensieve::hal::cpu {

class HostBuffer final : public Buffer {
 public:
  explicit HostBuffer(Region region) : region_(std::move(region)) {}
  explicit HostBuffer(std::span<const std::byte> adopted) : adopted_(adopted) {}

  std::size_t size() const override { return adopted_.data() != nullptr ? adopted_.size() : region_.size(); }
  // Only a file can give its bytes again.
  void release_source() override {
    if (adopted_.data() != nullptr) util::release_mapped(adopted_);
  }
  const std::uint8_t* data() const {
    return adopted_.data() != nullptr ? reinterpret_cast<const std::uint8_t*>(adopted_.data())
                                      : region_.data();
  }
  std::uint8_t* writable() { return region_.data(); }  // null when adopted or empty

 private:
  Region region_;
  std::span<const std::byte> adopted_;
};

}  // namespace pensieve::hal::cpu
