// Looks for GPUs through the drivers of this machine, and says plainly why there are none.
// Not a backend: nothing is set up, and the libraries are not kept. The drivers' code runs in a child
// process, so that a broken or hanging one costs an entry, never this process.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pensieve::hal {

struct Gpu {
  std::string name;
  std::size_t memory = 0;  // bytes
};

struct GpuSearch {
  std::string driver;  // "NVIDIA driver", "OpenCL"
  std::vector<Gpu> found;
  std::string absence;  // why none was found; empty when some were
};

// `library` is the driver's library, by name or path (tests give broken ones).
GpuSearch find_cuda_gpus(const std::string& library = "libcuda.so.1");
GpuSearch find_opencl_gpus(const std::string& library = "libOpenCL.so.1");

}  // namespace pensieve::hal
