// Errors, memory and devices of the CUDA runtime.
#include "hal/cuda/runtime.h"

#include <fmt/format.h>

namespace pensieve::hal::cuda {

Result<> check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return {};
  cudaGetLastError();  // errors that are not sticky are taken back
  const auto code = status == cudaErrorMemoryAllocation ? Error::Code::exhausted : Error::Code::unavailable;
  return fail(code, fmt::format("the GPU could not {}: {}", what, cudaGetErrorString(status)));
}

Error absence(cudaError_t status) {
  Error error;
  error.code = Error::Code::unavailable;
  if (status == cudaErrorNoDevice) {
    error.what =
        "the NVIDIA driver reports no GPU (is one assigned to this container, and is CUDA_VISIBLE_DEVICES "
        "empty?)";
  } else if (status == cudaErrorInsufficientDriver) {
    int version = 0;
    cudaDriverGetVersion(&version);
    error.what = version == 0 ? "no NVIDIA driver found; install one to use the GPU"
                              : fmt::format(
                                    "the NVIDIA driver is too old: it speaks CUDA {}.{}, this program needs "
                                    "{}.{}; update the driver",
                                    version / 1000, version % 1000 / 10, CUDART_VERSION / 1000,
                                    CUDART_VERSION % 1000 / 10);
  } else {
    error.what = fmt::format("the NVIDIA driver cannot be used: {}", cudaGetErrorString(status));
  }
  return error;
}

Result<> check_capability(std::string_view name, int major, int minor) {
  if (major * 10 + minor >= kLeastCapability) return {};
  return fail(
      Error::Code::unsupported,
      fmt::format("{} has compute capability {}.{}; 8.0 (Ampere) or newer is needed", name, major, minor));
}

Result<std::vector<DeviceInfo>> find_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    cudaGetLastError();
    return tl::unexpected(absence(status == cudaSuccess ? cudaErrorNoDevice : status));
  }
  std::vector<DeviceInfo> devices;
  std::string refused;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) continue;
    if (auto usable = check_capability(properties.name, properties.major, properties.minor); !usable) {
      refused = usable.error().what;
      continue;
    }
    DeviceInfo info;
    info.name = properties.name;
    info.memory_total = properties.totalGlobalMem;
    info.memory_free = properties.totalGlobalMem;
    info.unified = properties.integrated != 0;
    info.kernels = fmt::format("sm_{}{}", properties.major, properties.minor);
    devices.push_back(std::move(info));
  }
  if (devices.empty())
    return fail(Error::Code::unsupported, refused.empty() ? "no NVIDIA GPU answers" : refused);
  return devices;
}

Result<DeviceMemory> DeviceMemory::allocate(std::size_t bytes, std::string_view purpose) {
  DeviceMemory memory;
  if (bytes == 0) return memory;
  std::size_t free = 0, total = 0;
  const cudaError_t status = cudaMalloc(&memory.data_, bytes);
  if (status != cudaSuccess) {
    cudaGetLastError();
    memory.data_ = nullptr;
    if (status != cudaErrorMemoryAllocation) return tl::unexpected(check(status, "allocate memory").error());
    cudaMemGetInfo(&free, &total);
    Error error;
    error.code = Error::Code::exhausted;
    error.what = fmt::format(
        "{} need{} {} bytes of GPU memory, {} of {} are free; a smaller context, fewer sequences or a "
        "smaller model would fit",
        purpose, purpose.ends_with('s') ? "" : "s", bytes, free, total);
    error.numbers = {{"needed", static_cast<std::int64_t>(bytes)}, {"free", static_cast<std::int64_t>(free)}};
    return tl::unexpected(std::move(error));
  }
  memory.size_ = bytes;
  return memory;
}

void DeviceMemory::reset() {
  if (data_ != nullptr) cudaFree(data_);
  data_ = nullptr;
}

Result<PinnedMemory> PinnedMemory::allocate(std::size_t bytes, std::string_view purpose) {
  PinnedMemory memory;
  if (bytes == 0) return memory;
  if (auto made = check(cudaMallocHost(&memory.data_, bytes),
                        fmt::format("lock {} bytes of main memory for {}", bytes, purpose));
      !made) {
    memory.data_ = nullptr;
    return tl::unexpected(made.error());
  }
  memory.size_ = bytes;
  return memory;
}

}  // namespace pensieve::hal::cuda
