# The CUDA device: built only on request and where nvcc is. Its kernels are compiled by commands of their own rather than
# as a CMake language, so that nothing else of the tree, nor its link, changes.
option(PENSIEVE_CUDA "Build the backend for NVIDIA GPUs (needs the CUDA toolkit, version 12.5 or newer)" OFF)
set(PENSIEVE_CUDA_ARCHITECTURES "80;90a;90-virtual" CACHE STRING "GPU architectures: sm numbers; N-virtual embeds PTX for newer ones")
set(DEVICE_AVAILABLE FALSE)
if(PENSIEVE_CUDA)
  find_package(CUDAToolkit 12.5 REQUIRED)
  set(DEVICE_AVAILABLE TRUE)
endif()
