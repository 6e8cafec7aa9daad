// Cores, caches and NUMA nodes, found by hwloc.
// Not about instruction sets (hal/detect/instruction_sets.h) or memory sizes (hal/detect/memory.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace pensieve::hal {

struct Topology {
  std::int32_t packages = 0;
  std::int32_t cores = 0, threads = 0;              // of the whole machine, as far as the container shows it
  std::int32_t bound_cores = 0, bound_threads = 0;  // those that this process may run on (affinity)
  std::size_t l1d = 0, l2 = 0, l3 = 0;              // bytes of one cache; 0: none or unknown
  std::size_t l3_total = 0;                         // bytes of all last-level caches together
  std::int32_t numa_nodes = 0;
};

// `synthetic` describes a made-up machine in hwloc's notation, for tests ("package:2 core:4 pu:2"); empty:
// this machine.
Topology detect_topology(const std::string& synthetic = "");

}  // namespace pensieve::hal
