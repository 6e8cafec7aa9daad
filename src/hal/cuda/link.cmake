# Compiles the kernels and links the static runtime, which loads the driver when it is there: no link to libcuda.
set(cuda_architectures "")
foreach(architecture ${PENSIEVE_CUDA_ARCHITECTURES})
  if(architecture MATCHES "^([0-9]+[af]?)-virtual$")
    list(APPEND cuda_architectures -gencode arch=compute_${CMAKE_MATCH_1},code=compute_${CMAKE_MATCH_1})
  else()
    list(APPEND cuda_architectures -gencode arch=compute_${architecture},code=sm_${architecture})
  endif()
endforeach()
file(GLOB cuda_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/*.cu)
foreach(source ${cuda_sources})
  get_filename_component(name ${source} NAME_WE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/cuda_${name}.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} -std=c++20 -O3 -I${CMAKE_SOURCE_DIR}/src ${cuda_architectures} -ccbin ${CMAKE_CXX_COMPILER}
            -Xcompiler=-fPIC,-Wall -MD -MF ${object}.d -c ${source} -o ${object}
    DEPENDS ${source}
    DEPFILE ${object}.d
    COMMENT "Building CUDA object ${name}.cu"
    VERBATIM)
  target_sources(pensieve_hal PRIVATE ${object})
endforeach()
target_link_libraries(pensieve_hal PRIVATE CUDA::cudart_static)
