// hwloc's tree, counted.
#include "hal/detect/topology.h"

#include <hwloc.h>

#include <memory>

namespace pensieve::hal {
namespace {

struct DestroyTopology {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using TopologyTree = std::unique_ptr<hwloc_topology, DestroyTopology>;

TopologyTree load(const std::string& synthetic) {
  hwloc_topology_t made = nullptr;
  if (hwloc_topology_init(&made) != 0) return nullptr;
  TopologyTree tree(made);
  if (!synthetic.empty() && hwloc_topology_set_synthetic(made, synthetic.c_str()) != 0) return nullptr;
  if (hwloc_topology_load(made) != 0) return nullptr;
  return tree;
}

std::int32_t count(hwloc_topology_t tree, hwloc_obj_type_t type) {
  const int found = hwloc_get_nbobjs_by_type(tree, type);
  return found > 0 ? found : 0;
}

std::int32_t count_within(hwloc_topology_t tree, hwloc_obj_type_t type, hwloc_const_cpuset_t set) {
  std::int32_t within = 0;
  for (std::int32_t i = 0; i < count(tree, type); ++i) {
    const hwloc_obj_t object = hwloc_get_obj_by_type(tree, type, static_cast<unsigned>(i));
    if (object != nullptr && hwloc_bitmap_intersects(object->cpuset, set) != 0) ++within;
  }
  return within;
}

std::size_t cache_bytes(hwloc_topology_t tree, hwloc_obj_type_t type) {
  const hwloc_obj_t object = hwloc_get_obj_by_type(tree, type, 0);
  return object != nullptr && object->attr != nullptr ? static_cast<std::size_t>(object->attr->cache.size)
                                                      : 0;
}

}  // namespace

Topology detect_topology(const std::string& synthetic) {
  Topology found;
  const TopologyTree tree = load(synthetic);
  if (tree == nullptr) return found;
  found.packages = count(tree.get(), HWLOC_OBJ_PACKAGE);
  found.cores = count(tree.get(), HWLOC_OBJ_CORE);
  found.threads = count(tree.get(), HWLOC_OBJ_PU);
  if (found.cores == 0) found.cores = found.threads;  // some virtual machines show no cores
  found.l1d = cache_bytes(tree.get(), HWLOC_OBJ_L1CACHE);
  found.l2 = cache_bytes(tree.get(), HWLOC_OBJ_L2CACHE);
  found.l3 = cache_bytes(tree.get(), HWLOC_OBJ_L3CACHE);
  found.l3_total = found.l3 * static_cast<std::size_t>(count(tree.get(), HWLOC_OBJ_L3CACHE));
  found.numa_nodes = count(tree.get(), HWLOC_OBJ_NUMANODE);
  found.bound_cores = found.cores;
  found.bound_threads = found.threads;
  const std::unique_ptr<hwloc_bitmap_s, void (*)(hwloc_bitmap_t)> bound(hwloc_bitmap_alloc(),
                                                                        &hwloc_bitmap_free);
  if (bound != nullptr && hwloc_get_cpubind(tree.get(), bound.get(), HWLOC_CPUBIND_PROCESS) == 0) {
    found.bound_threads = count_within(tree.get(), HWLOC_OBJ_PU, bound.get());
    const std::int32_t cores = count_within(tree.get(), HWLOC_OBJ_CORE, bound.get());
    found.bound_cores = cores > 0 ? cores : found.bound_threads;
  }
  return found;
}

}  // namespace pensieve::hal
