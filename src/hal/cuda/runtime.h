// What the plan needs of the CUDA runtime: errors as Results, memory that frees itself, the devices that are
// there. The runtime is linked statically and loads the driver itself; a machine without one gets an error
// from find_devices.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "core/backend.h"

namespace pensieve::hal::cuda {

constexpr int kLeastCapability = 80;  // compute capability 8.0: bf16 tensor cores and asynchronous copies

// An error names what was tried; running out of memory is `exhausted`.
Result<> check(cudaError_t status, std::string_view what);

// The error for devices that cannot be used: why the runtime finds none, in words that say what to do.
Error absence(cudaError_t status);
// Also refuses a device older than kLeastCapability.
Result<> check_capability(std::string_view name, int major, int minor);

Result<std::vector<DeviceInfo>> find_devices();

// Device memory of one owner. Empty for no bytes.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory() { reset(); }
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  // Says how much was asked for and how much is free when it does not fit.
  static Result<DeviceMemory> allocate(std::size_t bytes, std::string_view purpose);

  template <class T = unsigned char>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t size() const { return size_; }

 private:
  void reset();
  void swap(DeviceMemory& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// Page-locked host memory: copies to and from the device run on their own.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  ~PinnedMemory() {
    if (data_ != nullptr) cudaFreeHost(data_);
  }
  PinnedMemory(PinnedMemory&& other) noexcept { swap(other); }
  PinnedMemory& operator=(PinnedMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  static Result<PinnedMemory> allocate(std::size_t bytes, std::string_view purpose);
  template <class T = unsigned char>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t size() const { return size_; }

 private:
  void swap(PinnedMemory& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pensieve::hal::cuda
