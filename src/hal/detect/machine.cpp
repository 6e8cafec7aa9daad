// Puts the facts together and derives how many threads are sensible.
#include "hal/detect/machine.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "hal/detect/instruction_sets.h"

namespace pensieve::hal {

Machine detect_processor() {
  Machine machine;
  machine.cpu = detect_cpu_name();
  machine.instruction_sets = detect_instruction_sets();
  machine.topology = detect_topology();
  machine.cpu_limit = detect_cpu_limit();
  machine.memory = detect_memory();
  const auto fallback = static_cast<std::int32_t>(std::max(std::thread::hardware_concurrency(), 1U));
  const auto limit =
      machine.cpu_limit > 0 ? static_cast<std::int32_t>(std::ceil(machine.cpu_limit)) : INT32_MAX;
  const auto usable = [&](std::int32_t found) {
    return std::max(std::min(found > 0 ? found : fallback, limit), 1);
  };
  machine.usable_cores = usable(machine.topology.bound_cores);
  machine.usable_threads = usable(machine.topology.bound_threads);
  return machine;
}

Machine detect_machine() {
  Machine machine = detect_processor();
  machine.gpus.push_back(find_cuda_gpus());
  machine.gpus.push_back(find_opencl_gpus());
  return machine;
}

}  // namespace pensieve::hal
