// Facts about the machine: plausible here, exact on made-up ones.
#include "hal/detect/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "hal/detect/bandwidth.h"
#include "hal/detect/instruction_sets.h"

namespace pensieve::hal {
namespace {

using testing::HasSubstr;

// A folder of files that looks like a machine's root; removed at the end.
class MadeUpRoot {
 public:
  MadeUpRoot()
      : path_(std::filesystem::temp_directory_path() / ("pensieve_machine_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~MadeUpRoot() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  MadeUpRoot(const MadeUpRoot&) = delete;
  MadeUpRoot& operator=(const MadeUpRoot&) = delete;
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file) << text;
  }
  std::string path(const std::string& file = "") const {
    return (file.empty() ? path_ : path_ / file).string();
  }

 private:
  std::filesystem::path path_;
};

constexpr const char* kMeminfo = "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    8000000 kB\n";

TEST(Machine, IsDescribed) {
  const Machine machine = detect_processor();
  EXPECT_GE(machine.usable_cores, 1);
  EXPECT_GE(machine.usable_threads, machine.usable_cores);
  EXPECT_GE(machine.topology.threads, machine.topology.bound_threads);
  EXPECT_GT(machine.memory.total, std::size_t{64} << 20);
  EXPECT_LE(machine.memory.available, machine.memory.total);
  ASSERT_FALSE(machine.instruction_sets.empty());
  EXPECT_EQ(machine.instruction_sets.front(), "scalar");
  for (const std::string& name : machine.instruction_sets) EXPECT_TRUE(runs_instruction_set(name));
  EXPECT_FALSE(runs_instruction_set("avx4096"));
}

TEST(Machine, CountsMadeUpTopologies) {
  const Topology two = detect_topology(
      "package:2 [numa] l3:1(size=33554432) l2:4(size=1048576) l1d:1(size=32768) core:1 pu:2");
  EXPECT_EQ(two.packages, 2);
  EXPECT_EQ(two.numa_nodes, 2);
  EXPECT_EQ(two.cores, 8);
  EXPECT_EQ(two.threads, 16);
  EXPECT_EQ(two.bound_cores, 8);
  EXPECT_EQ(two.l1d, 32768U);
  EXPECT_EQ(two.l2, 1048576U);
  EXPECT_EQ(two.l3, 33554432U);
  EXPECT_EQ(two.l3_total, 2 * 33554432U);
  const Topology bare = detect_topology("pu:6");  // a virtual machine without cores or caches
  EXPECT_EQ(bare.cores, 6);
  EXPECT_EQ(bare.l3, 0U);
  EXPECT_EQ(detect_topology("nonsense:").cores, 0);
}

TEST(Machine, MemoryWithoutAControlGroup) {
  const MadeUpRoot root;
  root.write("proc/meminfo", kMeminfo);
  const MemoryFacts facts = detect_memory(root.path());
  EXPECT_EQ(facts.total, std::size_t{16000000} * 1024);
  EXPECT_EQ(facts.available, std::size_t{8000000} * 1024);
  EXPECT_EQ(facts.limit, 0U);
  EXPECT_EQ(detect_cpu_limit(root.path()), 0.0);
}

TEST(Machine, LimitsOfAVersionTwoGroupAndItsParents) {
  const MadeUpRoot root;
  root.write("proc/meminfo", kMeminfo);
  root.write("proc/self/cgroup", "0::/outer/inner\n");
  root.write("sys/fs/cgroup/outer/memory.max", "1000000000\n");
  root.write("sys/fs/cgroup/outer/memory.current", "700000000\n");
  root.write("sys/fs/cgroup/outer/memory.stat", "anon 1\ninactive_file 200000000\n");
  root.write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  root.write("sys/fs/cgroup/outer/inner/cpu.max", "150000 100000\n");
  root.write("sys/fs/cgroup/outer/cpu.max", "max 100000\n");
  const MemoryFacts facts = detect_memory(root.path());
  EXPECT_EQ(facts.limit, 1000000000U);
  EXPECT_EQ(facts.available, 500000000U);
  EXPECT_EQ(detect_cpu_limit(root.path()), 1.5);
}

TEST(Machine, LimitsOfAVersionOneGroupSeenFromInside) {
  const MadeUpRoot root;
  root.write("proc/meminfo", kMeminfo);
  // Inside a container the path is the host's, and only the mount's root is there.
  root.write("proc/self/cgroup", "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000000\n");
  root.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000000\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(detect_memory(root.path()).limit, 2000000000U);
  EXPECT_EQ(detect_memory(root.path()).available, 1500000000U);
  EXPECT_EQ(detect_cpu_limit(root.path()), 0.5);
  root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(detect_cpu_limit(root.path()), 0.0);
}

TEST(Machine, NonsenseInProcIsNoLimit) {
  const MadeUpRoot root;
  root.write("proc/meminfo", "MemTotal: lots\nMemAvailable:\n");
  root.write("proc/self/cgroup", "::\n0\nx\n0::/../../etc\n:cpu:\n");
  root.write("sys/fs/cgroup/cpu.max", "-5 0\n");
  EXPECT_EQ(detect_memory(root.path()).total, 0U);
  EXPECT_EQ(detect_cpu_limit(root.path()), 0.0);
}

TEST(Gpus, AbsentAndBrokenDriversAreNamed) {
  const MadeUpRoot root;
  const std::string absent = root.path("libabsent.so.1"), broken = root.path("libbroken.so.1");
  root.write("libbroken.so.1", "this is no library");
  EXPECT_EQ(find_cuda_gpus(absent).absence, "no NVIDIA driver: " + absent + " not found");
  EXPECT_EQ(find_opencl_gpus(absent).absence, "no OpenCL loader: " + absent + " not found");
  EXPECT_THAT(find_cuda_gpus(broken).absence, HasSubstr("does not load"));
  // A real library that is no driver.
  EXPECT_THAT(find_cuda_gpus("libm.so.6").absence, HasSubstr("lacks functions"));
  EXPECT_THAT(find_opencl_gpus("libm.so.6").absence, HasSubstr("lacks functions"));
}

TEST(Gpus, ThisMachineGivesDevicesOrAReason) {
  for (const GpuSearch& search : detect_machine().gpus) {
    EXPECT_FALSE(search.driver.empty());
    EXPECT_NE(search.found.empty(), search.absence.empty());
  }
}

TEST(Bandwidth, IsMeasured) {
  const double one = measure_read_bandwidth(1, 0);
  EXPECT_GT(one, 0.0);
  EXPECT_LT(one, 1e5);
  EXPECT_GT(measure_read_bandwidth(3, std::size_t{1} << 20), 0.0);
}

}  // namespace
}  // namespace pensieve::hal
