// The few functions of the CUDA driver API and of OpenCL that name devices. Their signatures are declared
// here, as their documentation gives them, so that building needs neither toolkit.
#include "hal/detect/gpu_drivers.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace pensieve::hal {
namespace {

// An opened library; it stays open, since drivers do not like to be closed.
class Library {
 public:
  // Says why when it cannot be opened: absent is not the same as broken.
  static std::optional<Library> open(const std::string& driver, const std::string& name,
                                     std::string& absence) {
    void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) return Library(handle);
    const char* reason = dlerror();
    const std::string text = reason != nullptr ? reason : "no reason given";
    absence = text.find("No such file") != std::string::npos
                  ? fmt::format("no {}: {} not found", driver, name)
                  : fmt::format("{} does not load: {}", name, text);
    return std::nullopt;
  }

  template <class Function>
  Function* find(const char* symbol) const {
    return reinterpret_cast<Function*>(dlsym(handle_, symbol));
  }

 private:
  explicit Library(void* handle) : handle_(handle) {}
  void* handle_;
};

std::string incomplete(const std::string& library) {
  return fmt::format("{} lacks functions that a driver has; reinstall it", library);
}

using CudaInit = int(unsigned);
using CudaDeviceGetCount = int(int*);
using CudaDeviceGet = int(int*, int);
using CudaDeviceGetName = int(char*, int, int);
using CudaDeviceTotalMem = int(std::size_t*, int);
using CudaGetErrorString = int(int, const char**);

std::string cuda_error(const Library& library, int code) {
  const char* text = nullptr;
  auto* describe = library.find<CudaGetErrorString>("cuGetErrorString");
  if (describe == nullptr || describe(code, &text) != 0 || text == nullptr) text = "unknown error";
  return fmt::format("the NVIDIA driver answers error {} ({})", code, text);
}

using ClGetPlatforms = std::int32_t(std::uint32_t, void**, std::uint32_t*);
using ClGetDevices = std::int32_t(void*, std::uint64_t, std::uint32_t, void**, std::uint32_t*);
using ClGetDeviceInfo = std::int32_t(void*, std::uint32_t, std::size_t, void*, std::size_t*);

constexpr std::uint32_t kMostPlatforms = 64, kMostDevices = 256;
constexpr std::uint64_t kDeviceTypeAll = 0xFFFFFFFF, kDeviceTypeCpu = 2;
constexpr std::uint32_t kInfoType = 0x1000, kInfoGlobalMemory = 0x101F, kInfoName = 0x102B;

struct OpenClDevice {
  Gpu gpu;
  bool processor = false;
};

OpenClDevice describe(ClGetDeviceInfo* info, void* device) {
  OpenClDevice described;
  std::array<char, 256> name{};
  std::uint64_t memory = 0, type = 0;
  if (info(device, kInfoName, name.size() - 1, name.data(), nullptr) == 0) described.gpu.name = name.data();
  if (info(device, kInfoGlobalMemory, sizeof memory, &memory, nullptr) == 0) described.gpu.memory = memory;
  if (info(device, kInfoType, sizeof type, &type, nullptr) == 0)
    described.processor = (type & kDeviceTypeCpu) != 0;
  return described;
}

}  // namespace

GpuSearch ask_cuda_driver(const std::string& library) {
  GpuSearch search{"NVIDIA driver", {}, {}};
  const auto cuda = Library::open(search.driver, library, search.absence);
  if (!cuda) return search;
  auto* init = cuda->find<CudaInit>("cuInit");
  auto* get_count = cuda->find<CudaDeviceGetCount>("cuDeviceGetCount");
  auto* get = cuda->find<CudaDeviceGet>("cuDeviceGet");
  auto* get_name = cuda->find<CudaDeviceGetName>("cuDeviceGetName");
  auto* get_memory = cuda->find<CudaDeviceTotalMem>("cuDeviceTotalMem_v2");
  if (init == nullptr || get_count == nullptr || get == nullptr || get_name == nullptr ||
      get_memory == nullptr) {
    search.absence = incomplete(library);
    return search;
  }
  int count = 0;
  int code = init(0);
  if (code == 0) code = get_count(&count);
  if (code != 0) search.absence = cuda_error(*cuda, code);
  for (int i = 0; code == 0 && i < count; ++i) {
    int device = 0;
    std::array<char, 256> name{};
    Gpu gpu;
    if (get(&device, i) != 0) continue;
    if (get_name(name.data(), static_cast<int>(name.size()) - 1, device) == 0) gpu.name = name.data();
    if (get_memory(&gpu.memory, device) != 0) gpu.memory = 0;
    search.found.push_back(std::move(gpu));
  }
  if (search.found.empty() && search.absence.empty()) search.absence = "the NVIDIA driver sees no GPU";
  return search;
}

GpuSearch ask_opencl_loader(const std::string& library) {
  GpuSearch search{"OpenCL", {}, {}};
  const auto opencl = Library::open("OpenCL loader", library, search.absence);
  if (!opencl) return search;
  auto* get_platforms = opencl->find<ClGetPlatforms>("clGetPlatformIDs");
  auto* get_devices = opencl->find<ClGetDevices>("clGetDeviceIDs");
  auto* get_info = opencl->find<ClGetDeviceInfo>("clGetDeviceInfo");
  if (get_platforms == nullptr || get_devices == nullptr || get_info == nullptr) {
    search.absence = incomplete(library);
    return search;
  }
  std::array<void*, kMostPlatforms> platforms{};
  std::uint32_t platform_count = 0;
  const std::int32_t code = get_platforms(kMostPlatforms, platforms.data(), &platform_count);
  if (code != 0 || platform_count == 0) {
    search.absence = fmt::format("the OpenCL loader knows no driver (error {})", code);
    return search;
  }
  std::string processors;
  for (std::uint32_t p = 0; p < std::min(platform_count, kMostPlatforms); ++p) {
    std::array<void*, kMostDevices> devices{};
    std::uint32_t device_count = 0;
    if (get_devices(platforms[p], kDeviceTypeAll, kMostDevices, devices.data(), &device_count) != 0) continue;
    for (std::uint32_t d = 0; d < std::min(device_count, kMostDevices); ++d) {
      OpenClDevice device = describe(get_info, devices[d]);
      if (device.processor) processors += (processors.empty() ? "" : ", ") + device.gpu.name;
      if (!device.processor) search.found.push_back(std::move(device.gpu));
    }
  }
  if (!search.found.empty()) return search;
  search.absence = processors.empty() ? "the OpenCL drivers see no device"
                                      : "OpenCL drives only processors: " + processors;
  return search;
}

}  // namespace pensieve::hal
