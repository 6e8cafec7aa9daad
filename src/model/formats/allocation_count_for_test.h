// How much memory has been asked for, for tests of bounded allocation. Counting requests is the only way to
// see a giant one that the kernel would grant lazily.
#pragma once

#include <cstddef>

namespace pensieve::model::testing {

struct AllocationCount {
  std::size_t largest = 0;  // bytes of one request
  std::size_t total = 0;    // bytes of all requests, freed or not
};
void reset_allocation_count();
AllocationCount allocation_count();

}  // namespace pensieve::model::testing
