// Questions to GPU drivers through their libraries, opened at run time. For the child process of gpus.cpp
// only: what is called here is foreign code that may crash or hang.
#pragma once

#include <string>

#include "hal/detect/gpus.h"

namespace pensieve::hal {

// Each fills found or absence.
GpuSearch ask_cuda_driver(const std::string& library);
GpuSearch ask_opencl_loader(const std::string& library);

}  // namespace pensieve::hal
