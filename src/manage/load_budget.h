// LoadBudget: what a model that is about to be loaded may take, as the pool decides it. Not an estimate of
// what it needs: that is made while loading, before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pensieve::manage {

struct LoadBudget {
  std::size_t available = 0;  // bytes; 0: all that the device has
  // A plan whose context would have to be smaller than this (and than the model's own) is refused.
  std::int64_t least_context = 0;
};

}  // namespace pensieve::manage
