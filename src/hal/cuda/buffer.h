// CudaBuffer: bytes on the device, or mapped file bytes that stay on the host until a plan lays them out on
// the device.
#pragma once

#include <span>

#include "hal/cuda/runtime.h"
#include "util/mapped_file.h"

namespace pensieve::hal::cuda {

class CudaBuffer final : public Buffer {
 public:
  explicit CudaBuffer(DeviceMemory memory) : memory_(std::move(memory)) {}
  explicit CudaBuffer(std::span<const std::byte> adopted) : adopted_(adopted) {}

  std::size_t size() const override { return on_device() ? memory_.size() : adopted_.size(); }
  void release_source() override {
    if (!on_device()) util::release_mapped(adopted_);
  }
  bool on_device() const { return adopted_.data() == nullptr; }
  unsigned char* device() const { return memory_.as(); }
  std::span<const std::byte> host() const { return adopted_; }

 private:
  DeviceMemory memory_;
  std::span<const std::byte> adopted_;
};

}  // namespace pensieve::hal::cuda
