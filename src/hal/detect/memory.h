// Main memory: how much there is, how much is free, and what the control group allows.
// Not an allocator, and not a promise: other programs take memory too.
#pragma once

#include <cstddef>
#include <string>

namespace pensieve::hal {

struct MemoryFacts {  // bytes
  std::size_t total = 0;
  std::size_t available = 0;  // without swapping, within the limit
  std::size_t limit = 0;      // of the control group; 0: none below total
};

// `root` is where /proc and /sys are found (tests give a folder of their own).
MemoryFacts detect_memory(const std::string& root = "");

// Processors' worth of time that the control group allows (quota / period); 0: no limit.
double detect_cpu_limit(const std::string& root = "");

}  // namespace pensieve::hal
