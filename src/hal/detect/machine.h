// What this machine offers: processor, caches, memory, limits and GPUs, as `doctor` shows them and defaults
// use them. Facts only: choosing a backend or kernels is done elsewhere (hal/backends.h, each backend).
// Nothing is cached here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hal/detect/gpus.h"
#include "hal/detect/memory.h"
#include "hal/detect/topology.h"

namespace pensieve::hal {

struct Machine {
  std::string cpu;                            // model name as the processor gives it
  std::vector<std::string> instruction_sets;  // see hal/detect/instruction_sets.h, weakest first
  Topology topology;
  double cpu_limit = 0;             // processors that the control group allows; 0: no limit
  std::int32_t usable_cores = 1;    // physical cores, within affinity and limit: the default for threads
  std::int32_t usable_threads = 1;  // hardware threads, likewise
  MemoryFacts memory;
  std::vector<GpuSearch> gpus;  // one entry for each way of finding them, found or not
};

// Never fails: what cannot be found out stays empty. Takes up to a second where GPU drivers answer slowly.
Machine detect_machine();
// The same without looking for GPUs: milliseconds.
Machine detect_processor();

}  // namespace pensieve::hal
